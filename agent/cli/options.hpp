// What a command line may say, and how every command ends.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace millrace {

// Exit statuses; documented, never renumbered.
enum ExitCode : int {
  kAllWell = 0,
  kSomeFailed = 1,    // some files failed, still wait, or were left out
  kWrongUse = 2,      // wrong usage or configuration, nothing can work
  kAlreadyRuns = 3,   // another instance runs
  kStoppedEarly = 4,  // quota, budget, failure guard
  kInterrupted = 130,
};

struct Options {
  std::string config;  // --config, else MILLRACE_CONFIG, else the usual place
  bool json = false;

  // run, convert, fetch
  bool once = false;
  std::string patience = "10m";
  std::optional<int> workers;

  // convert
  std::vector<std::string> files;
  std::string to, out, via, url, api_key_env, ca_file, upload, state_dir, max_failures, failures;
  std::vector<std::string> options;  // "quality=80"

  // fetch, beside ca_file, state_dir and allow_fetch
  std::string list, into, rate;
  int max_connections = 4;
  bool refresh = false;
  bool no_sync = false;

  // init, beside `to` and `url`
  std::string inbox, outbox;

  // serve
  std::string listen, cert, key, token_file, scratch;
  std::vector<std::string> allow_fetch;  // "host:443", in lower case
  std::string max_size = "100MB";
  std::string time_limit = "120s";
  int renderers = 0;  // 0: one a core

  // status, explain, retry, rescan, pause, resume, secret, service
  std::string name;
  bool all = false;
  std::string action;
  bool system = false;  // service install
  bool grant = false;   // service install
};

struct Command {
  const char* name;
  const char* summary;
  int (*run)(const Options& options);
};

// What argv asks for: a command to run, or an exit status (help was shown, usage was wrong).
struct Parsed {
  const Command* command = nullptr;
  Options options;
  int status = 0;
};
Parsed parse_command_line(int argc, char** argv);

int run_agent(const Options& options);
int run_convert(const Options& options);
int run_fetch(const Options& options);
int run_serve(const Options& options);
int run_status(const Options& options);
int run_failures(const Options& options);
int run_explain(const Options& options);
int run_retry(const Options& options);
int run_rescan(const Options& options);
int run_pause(const Options& options);
int run_resume(const Options& options);
int run_reload(const Options& options);
int run_init(const Options& options);
int run_check(const Options& options);
int run_formats(const Options& options);
int run_secret(const Options& options);
int run_service(const Options& options);

}  // namespace millrace
