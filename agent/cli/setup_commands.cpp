// init, formats, secret: what is done before the agent runs.
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "agent/cli/context.hpp"
#include "agent/cli/first_config.hpp"
#include "agent/serve/process_renderer.hpp"
#include "config/bucket_url.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

int wrong_use(const Options& options, const Error& error) {
  say_error(options, error);
  return kWrongUse;
}

int set_secret(const Options& options, const fs::path& config_dir) {
  std::string value;
  std::getline(std::cin, value);
  if (value.empty()) {
    return wrong_use(options, {ErrorKind::Configuration,
                               "nothing came on standard input; for example: millrace secret set " +
                                   options.name + " < key.txt",
                               0,
                               {}});
  }
  const auto stored = store_secret(config_dir, options.name, value);
  return stored ? kAllWell : wrong_use(options, stored.error());
}

Result<void> make_folder(const fs::path& folder) {
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (!problem) return {};
  return fail(ErrorKind::Environment,
              "cannot make the folder " + path_text(folder) + ": " + problem.message());
}

Result<FirstConfig> wanted_by(const Options& options, const StandardFolders& folders) {
  if (options.url.empty() && !has_renderer()) {
    return fail(ErrorKind::Configuration,
                "millrace-render is not installed beside millrace, so there is no local converter; "
                "name a conversion API: millrace init --url https://HOST/PATH");
  }
  for (const auto& [option, text] :
       {std::pair{"--inbox", &options.inbox}, std::pair{"--outbox", &options.outbox}}) {
    if (!parse_bucket_url(*text)) continue;
    return fail(ErrorKind::Configuration,
                std::string(option) +
                    " must be a folder; a bucket needs an [s3.NAME]: make the configuration with a "
                    "folder and set `outbox` in it afterwards");
  }
  const fs::path ours = folders.home / "Millrace", here = current_folder();
  FirstConfig wanted;
  wanted.inbox =
      options.inbox.empty() ? ours / "inbox" : full_path(native_path(options.inbox), here);
  wanted.outbox =
      options.outbox.empty() ? ours / "outbox" : full_path(native_path(options.outbox), here);
  wanted.to = options.to.empty() ? "webp" : options.to;
  wanted.url = options.url;
  return wanted;
}

// Nothing is written unless all of it is right: what is there once is never written again.
Result<void> write_first_config(const Options& options, const StandardFolders& folders,
                                const fs::path& file) {
  std::error_code problem;
  if (fs::exists(file, problem)) {
    return fail(ErrorKind::Exists, path_text(file) + " is there already and stays as it is");
  }
  const auto wanted = wanted_by(options, folders);
  if (!wanted) return std::unexpected(wanted.error());
  const std::string text = first_config(*wanted);
  if (const auto right = load_settings(text, file, surroundings(folders)); !right) {
    return fail(ErrorKind::Configuration, right.error().front().message);
  }
  for (const fs::path& folder : {file.parent_path(), wanted->inbox, wanted->outbox}) {
    if (folder.empty()) continue;
    if (auto made = make_folder(folder); !made) return made;
  }
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (!out) return fail(ErrorKind::Environment, "cannot write " + path_text(file));
  return {};
}

}  // namespace

int run_init(const Options& options) {
  const auto folders = standard_folders();
  if (!folders) return wrong_use(options, folders.error());
  const fs::path file = config_file_of(options, *folders);
  const auto written = write_first_config(options, *folders, file);
  if (!written) return wrong_use(options, written.error());
  if (options.json) {
    std::cout << nlohmann::json{{"config", printable(path_text(file))}} << "\n";
  } else {
    std::cout << "wrote " << printable(path_text(file)) << "\n"
              << "next: millrace check, then millrace run\n";
  }
  return kAllWell;
}

int run_formats(const Options& options) {
  if (!has_renderer()) return wrong_use(options, no_renderer());
  const auto folders = standard_folders();
  if (!folders) return wrong_use(options, folders.error());
  auto launcher = make_launcher();
  if (!launcher) return wrong_use(options, launcher.error());
  ProcessRendererOptions renderer;
  renderer.program = render_program();
  renderer.scratch = folders->runtime_dir;
  const auto formats = make_process_renderer(renderer, **launcher)->formats();
  if (!formats) return wrong_use(options, formats.error());
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
  if (!folders) return wrong_use(options, folders.error());
  const fs::path config_dir = config_file_of(options, *folders).parent_path();
  const int status = [&] {
    if (options.action == "set") return set_secret(options, config_dir);
    const auto removed = remove_secret(config_dir, options.name);
    return removed ? +kAllWell : wrong_use(options, removed.error());
  }();
  if (status == kAllWell && options.json) {
    std::cout << nlohmann::json{{options.action == "set" ? "stored" : "removed", options.name}}
              << "\n";
  }
  return status;
}

}  // namespace millrace
