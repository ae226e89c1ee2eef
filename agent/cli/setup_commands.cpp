// init, formats, secret: what is done before the agent runs.
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "agent/cli/context.hpp"
#include "agent/serve/process_renderer.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

// Names only: every key that is not here has the default that the reference in the README gives.
constexpr std::string_view kFirstConfig =
    R"(# Millrace: every file that appears in `inbox` is converted into `outbox`.
# `millrace check` says whether this file is right; a running agent takes changes up by itself.

[[folder]]
name = "pictures"
inbox = "~/Millrace/inbox"
outbox = "~/Millrace/outbox"
to = ["webp"]
via = "local"              # the embedded converter
# include = ["*.png", "*.jpg"]
# after = "archive"        # keep | archive | delete
# options = { quality = 80 }

# A conversion API on the network, used with via = "changethisfile":
# [converter.changethisfile]
# url = "https://changethisfile.com/v1/convert"
# api_key = { env = "CTF_API_KEY" }
)";

int refuse(const Options& options, const Error& error) {
  say_error(options, error);
  return kWrongUse;
}

int set_secret(const Options& options, const fs::path& config_dir) {
  std::string value;
  std::getline(std::cin, value);
  if (value.empty()) {
    return refuse(options, {ErrorKind::Configuration,
                            "nothing came on standard input; for example: millrace secret set " +
                                options.name + " < key.txt",
                            0,
                            {}});
  }
  const auto stored = store_secret(config_dir, options.name, value);
  return stored ? kAllWell : refuse(options, stored.error());
}

}  // namespace

int run_init(const Options& options) {
  const auto folders = standard_folders();
  if (!folders) return refuse(options, folders.error());
  const fs::path file = config_file_of(options, *folders);
  std::error_code problem;
  if (fs::exists(file, problem)) {
    return refuse(
        options,
        {ErrorKind::Exists, path_text(file) + " is there already and stays as it is", 0, {}});
  }
  if (file.has_parent_path()) fs::create_directories(file.parent_path(), problem);
  for (const char* box : {"inbox", "outbox"}) {
    fs::create_directories(folders->home / "Millrace" / box, problem);
  }
  std::ofstream out(file, std::ios::binary);
  out << kFirstConfig;
  out.close();
  if (!out) {
    return refuse(options,
                  {ErrorKind::Environment, "cannot write " + printable(path_text(file)), 0, {}});
  }
  if (options.json) {
    std::cout << nlohmann::json{{"config", printable(path_text(file))}} << "\n";
  } else {
    std::cout << "wrote " << printable(path_text(file)) << "\n"
              << "next: millrace check, then millrace run\n";
  }
  return kAllWell;
}

int run_formats(const Options& options) {
  if (!has_renderer()) return refuse(options, no_renderer());
  const auto folders = standard_folders();
  if (!folders) return refuse(options, folders.error());
  auto launcher = make_launcher();
  if (!launcher) return refuse(options, launcher.error());
  ProcessRendererOptions renderer;
  renderer.program = render_program();
  renderer.scratch = folders->runtime_dir;
  const auto formats = make_process_renderer(renderer, **launcher)->formats();
  if (!formats) return refuse(options, formats.error());
  nlohmann::json json{{"engine", formats->engine}, {"routes", nlohmann::json::array()}};
  for (const auto& route : formats->routes) {
    json["routes"].push_back({{"from", route.from}, {"to", route.to}});
    if (options.json) continue;
    std::cout << route.from << " ->";
    for (const std::string& to : route.to) std::cout << " " << to;
    std::cout << "\n";
  }
  if (options.json) std::cout << json << "\n";
  return kAllWell;
}

int run_secret(const Options& options) {
  const auto folders = standard_folders();
  if (!folders) return refuse(options, folders.error());
  const fs::path config_dir = config_file_of(options, *folders).parent_path();
  const int status = [&] {
    if (options.action == "set") return set_secret(options, config_dir);
    const auto removed = remove_secret(config_dir, options.name);
    return removed ? +kAllWell : refuse(options, removed.error());
  }();
  if (status == kAllWell && options.json) {
    std::cout << nlohmann::json{{options.action == "set" ? "stored" : "removed", options.name}}
              << "\n";
  }
  return status;
}

}  // namespace millrace
