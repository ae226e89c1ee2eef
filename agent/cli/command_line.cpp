// The table of commands, and what each may be given.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <iostream>

#include "agent/cli/context.hpp"
#include "agent/cli/options.hpp"
#include "config/server_place.hpp"
#include "config/values.hpp"

namespace millrace {
namespace {

struct Row {
  Command command;
  void (*declare)(CLI::App& app, Options& o);
};

std::string is_some_time(const std::string& text) {
  const auto duration = parse_duration(text);
  if (!duration) return "\"" + text + "\" must be a duration such as 90s or 10m";
  return *duration > Duration{0} ? "" : "\"" + text + "\" must be longer than nought";
}

std::string is_rate(const std::string& text) {
  return parse_rate(text) ? "" : "\"" + text + "\" must be a rate such as 10/s or 600/m";
}

// Lowers what it accepts.
std::string to_server_place(std::string& text) {
  auto place = parse_server_place(text);
  if (!place) return "\"" + text + "\" is no HOST:PORT, such as files.example:443";
  text = std::move(*place);
  return "";
}

// A list takes one word each time it is named: what follows may be a file.
CLI::Option* add_list(CLI::App& app, const char* flag, std::vector<std::string>& into,
                      const char* meaning) {
  return app.add_option(flag, into, meaning)->allow_extra_args(false);
}

void add_allowed_places(CLI::App& app, Options& o, const char* meaning) {
  add_list(app, "--allow-fetch", o.allow_fetch, meaning)
      ->transform(CLI::Validator(to_server_place, ""));
}

void nothing_more(CLI::App&, Options&) {}

void declare_run(CLI::App& app, Options& o) {
  auto* once = app.add_flag("--once", o.once, "convert what is there, then end");
  app.add_option("--patience", o.patience,
                 "with --once: give up after this long without progress (default: 10m)")
      ->needs(once)
      ->check(is_some_time);
}

void declare_convert(CLI::App& app, Options& o) {
  app.add_option("FILE", o.files,
                 "files, folders, patterns, or buckets as s3://NAME@bucket/prefix/")
      ->required();
  app.add_option("--to", o.to, "target format, or several with commas: webp,jpg")->required();
  app.add_option("--out", o.out,
                 "folder for the results (default: beside each source), or a bucket, "
                 "s3://NAME@bucket/prefix/, with [s3.NAME] in the configuration");
  auto* via = app.add_option("--via", o.via, "a converter of the configuration (default: local)");
  app.add_option("--workers", o.workers, "conversions in flight")->check(CLI::Range(1, 256));
  add_list(app, "--options", o.options, "options for the converter, as quality=80")->delimiter(',');
  app.add_option("--max-failures", o.max_failures, "stop when more fail: a number or a share, 2%");
  app.add_option("--failures", o.failures,
                 "file for what failed and why, one JSON object a line, written as it happens");
  app.add_option("--patience", o.patience,
                 "give up after this long without progress (default: 10m)")
      ->check(is_some_time);
  auto* url = app.add_option("--url", o.url, "a conversion API, without a configuration file");
  url->excludes(via);
  // With a converter of the configuration, that one says how: ignoring these would mislead.
  app.add_option("--api-key-env", o.api_key_env, "environment variable that holds its key")
      ->needs(url);
  app.add_option("--ca-file", o.ca_file, "PEM file of the authorities to trust")
      ->needs(url)
      ->check(CLI::ExistingFile);
  app.add_option("--upload", o.upload, "multipart, raw, or url for links to objects")
      ->needs(url)
      ->check(CLI::IsMember({"multipart", "raw", "url"}));
  app.add_option("--state-dir", o.state_dir, "where the ledger of this batch is kept");
}

void declare_fetch(CLI::App& app, Options& o) {
  app.add_option("LIST", o.list,
                 "URLs as text, CSV, JSON lines or Metalink 4; - reads standard input")
      ->required();
  app.add_option("--into", o.into, "folder for the files; made if absent")->required();
  app.add_option("--workers", o.workers, "requests in flight to one host (default: 16)")
      ->check(CLI::Range(1, 256));
  app.add_option("--max-connections", o.max_connections, "connections to one host (default: 4)")
      ->check(CLI::Range(1, 64));
  app.add_option("--rate", o.rate, "requests to one host, as 10/s or 600/m")->check(is_rate);
  app.add_flag("--refresh", o.refresh, "ask also for what was fetched before, if it has changed");
  app.add_flag("--no-sync", o.no_sync, "faster; after a power cut, start over");
  app.add_option("--patience", o.patience,
                 "give up after this long without progress (default: 10m)")
      ->check(is_some_time);
  add_allowed_places(app, o, "HOST:PORT that may be asked though not public");
  app.add_option("--ca-file", o.ca_file, "PEM file of the authorities to trust")
      ->check(CLI::ExistingFile);
  app.add_option("--state-dir", o.state_dir, "where the ledger of this batch is kept");
}

void declare_serve(CLI::App& app, Options& o) {
  app.add_option("--listen", o.listen, "ADDRESS:PORT or unix:PATH (default 127.0.0.1:8651)");
  app.add_option("--cert", o.cert, "PEM file with the certificate chain");
  app.add_option("--key", o.key, "PEM file with the private key");
  app.add_option("--token-file", o.token_file, "file with the token that clients must send");
  app.add_option("--scratch", o.scratch,
                 "folder for uploads and results under way; no other server may use it");
  app.add_option("--max-size", o.max_size, "largest upload (default: 100MB)");
  app.add_option("--time-limit", o.time_limit,
                 "how long the conversion of one file may take (default: 120s)");
  app.add_option("--renderers", o.renderers, "worker processes (default: 0, one a core)")
      ->check(CLI::Range(0, 256));
  add_allowed_places(app, o, "HOST:PORT that file_url may lead to though it is not public");
  app.add_option("--ca-file", o.ca_file, "PEM file of the authorities to trust for file_url");
}

void declare_init(CLI::App& app, Options& o) {
  app.add_option("--inbox", o.inbox, "folder to watch; made if absent (default: ~/Millrace/inbox)");
  app.add_option("--outbox", o.outbox, "folder for the results (default: ~/Millrace/outbox)");
  app.add_option("--to", o.to, "target format, or several with commas (default: webp)");
  app.add_option("--url", o.url,
                 "a conversion API (default: the local converter, where there is one)");
}

void declare_status(CLI::App& app, Options& o) {
  app.add_option("--state-dir", o.state_dir, "of downloads that were started with it");
}

void declare_failures(CLI::App& app, Options& o) {
  app.add_option("--state-dir", o.state_dir, "of conversions that were started with it");
}

void declare_name(CLI::App& app, Options& o) {
  app.add_option("name", o.name, "a folder or a converter")->required();
}

void declare_secret(CLI::App& app, Options& o) {
  app.add_option("action", o.action, "set (the value is read from standard input) or rm")
      ->required()
      ->check(CLI::IsMember({"set", "rm"}));
  app.add_option("name", o.name, "what api_key = { secret = \"NAME\" } says")->required();
}

void declare_service(CLI::App& app, Options& o) {
  app.add_option("action", o.action,
                 "install (to be started with the machine, or on macOS at login, with this "
                 "configuration), uninstall "
                 "(configuration, ledger and logs stay), start, stop or status")
      ->required()
      ->check(CLI::IsMember({"install", "uninstall", "start", "stop", "status"}));
  app.add_flag("--system", o.system, "macOS: a daemon that runs with nobody logged in");
  app.add_flag(
      "--grant", o.grant,
      "Windows, with install: let the service's account use the folders of the configuration");
}

void declare_retry(CLI::App& app, Options& o) {
  auto* id = app.add_option("id", o.name, "a job, as `millrace failures` numbers it");
  app.add_flag("--all", o.all, "everything that failed")->excludes(id);
}

constexpr std::array kRows{
    Row{{"run", "the agent, in the foreground", run_agent}, declare_run},
    Row{{"convert", "convert files once", run_convert}, declare_convert},
    Row{{"fetch", "download a list of files", run_fetch}, declare_fetch},
    Row{{"serve", "the local conversion API on its own", run_serve}, declare_serve},
    Row{{"status", "what the agent and running downloads are doing", run_status}, declare_status},
    Row{{"failures", "what failed, and why", run_failures}, declare_failures},
    Row{{"explain", "what happened or will happen to a file", run_explain},
        [](CLI::App& app, Options& o) { app.add_option("file", o.name, "a path")->required(); }},
    Row{{"retry", "try what failed again", run_retry}, declare_retry},
    Row{{"rescan", "look through an inbox now", run_rescan},
        [](CLI::App& app, Options& o) { app.add_option("folder", o.name, "default: all"); }},
    Row{{"pause", "stop taking work of a folder or a converter", run_pause}, declare_name},
    Row{{"resume", "go on with it", run_resume}, declare_name},
    Row{{"reload", "read the configuration again", run_reload}, nothing_more},
    Row{{"init", "write a first configuration", run_init}, declare_init},
    Row{{"check", "find what is wrong with configuration, folders and converters", run_check},
        nothing_more},
    Row{{"formats", "what the local converter can do", run_formats}, nothing_more},
    Row{{"secret", "keep a key", run_secret}, declare_secret},
    Row{{"service", "the agent as a service of Windows or macOS", run_service}, declare_service},
};

const CLI::App* command_of(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? nullptr : chosen.front();
}

// The first word that is no option, if it is no command either.
std::string unknown_command(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.starts_with('-')) continue;
    const auto is_it = [&](const Row& row) { return word == row.command.name; };
    return std::ranges::any_of(kRows, is_it) ? "" : std::string(word);
  }
  return {};
}

void say_wrong_use(const CLI::App& app, int argc, char** argv, const std::string& why) {
  Options options;
  for (int i = 1; i < argc; ++i) options.json |= std::string_view(argv[i]) == "--json";
  const CLI::App* command = command_of(app);
  const std::string named = command != nullptr ? " " + command->get_name() : "";
  const std::string unknown = command != nullptr ? "" : unknown_command(argc, argv);
  std::string message = why;
  if (!unknown.empty()) message = "there is no command `" + unknown + "`";
  message += "; see `millrace" + named + " --help`";
  if (argc <= 1) {
    std::cerr << app.help();
  } else {
    say_error(options, {ErrorKind::Configuration, message, 0, {}});
  }
}

}  // namespace

Parsed parse_command_line(int argc, char** argv) {
  Parsed parsed;
  CLI::App app{
      "Millrace turns folders into converters: a file dropped into an inbox comes out "
      "converted in an outbox.",
      "millrace"};
  app.set_version_flag("--version", "millrace " MILLRACE_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit status: 0 all well, 1 some files failed, wait or were left out, 2 wrong usage or\n"
      "configuration, 3 another instance runs, 4 stopped early, 130 interrupted.");
  for (const Row& row : kRows) {
    CLI::App* sub = app.add_subcommand(row.command.name, row.command.summary);
    sub->add_option("--config", parsed.options.config, "configuration file");
    sub->add_flag("--json", parsed.options.json, "one JSON document, or JSON lines");
    row.declare(*sub, parsed.options);
    sub->callback([&parsed, &row] { parsed.command = &row.command; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    parsed.command = nullptr;
    parsed.status = problem.get_exit_code() == 0 ? kAllWell : kWrongUse;
    if (parsed.status == kAllWell) {
      app.exit(problem, std::cout, std::cerr);
    } else {
      say_wrong_use(app, argc, argv, problem.what());
    }
  }
  return parsed;
}

}  // namespace millrace
