#include "agent/cli/context.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/pipeline/buckets.hpp"
#include "agent/transfer/curl_http.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"
#include "platform/fs/small_file.hpp"
#include "platform/http/local_address.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {
namespace fs = std::filesystem;

fs::path config_file_of(const Options& options, const StandardFolders& folders) {
  if (!options.config.empty()) return native_path(options.config);
  if (const char* variable = std::getenv("MILLRACE_CONFIG"); variable && *variable) {
    return native_path(variable);
  }
  return folders.config_file;
}

Surroundings surroundings(const StandardFolders& folders) {
  return {folders.home, folders.state_dir, has_renderer(), has_buckets()};
}

fs::file_time_type time_of(const fs::path& file) {
  std::error_code ignored;
  return fs::last_write_time(file, ignored);
}

namespace {

constexpr const char* kControlNote = "control";
constexpr std::size_t kLongestNote = 4096;  // bytes; a socket path holds 107

fs::path noted_control_socket(const Context& context) {
  const fs::path usual = control_socket(context.settings, context.folders);
  const auto folder = real_file_system().open_directory(context.settings.agent.state_dir);
  if (!folder) return usual;
  const auto note = read_small_file(**folder, kControlNote, kLongestNote);
  if (!note || note->empty()) return usual;
  return native_path(note->substr(0, note->find('\n')));
}

}  // namespace

std::expected<Context, int> load_context(const Options& options) {
  Context context;
  auto folders = standard_folders();
  if (!folders) {
    say_error(options, folders.error());
    return std::unexpected(kWrongUse);
  }
  context.folders = std::move(*folders);
  context.config_file = config_file_of(options, context.folders);
  context.config_time = time_of(context.config_file);
  auto loaded = load_settings_file(context.config_file, surroundings(context.folders));
  if (!loaded) {
    if (options.json) {
      nlohmann::json problems = nlohmann::json::array();
      for (const Problem& p : loaded.error()) {
        problems.push_back({{"line", p.line}, {"column", p.column}, {"message", p.message}});
      }
      std::cout << nlohmann::json{{"error",
                                   {{"code", "configuration"},
                                    {"message", to_text(loaded.error(), context.config_file)},
                                    {"file", printable(path_text(context.config_file))},
                                    {"problems", problems}}}}
                << "\n";
    } else {
      std::cerr << to_text(loaded.error(), context.config_file);
    }
    return std::unexpected(kWrongUse);
  }
  context.settings = std::move(*loaded);
  return context;
}

std::expected<fs::path, int> state_root(const Options& options) {
  if (!options.state_dir.empty())
    return full_path(native_path(options.state_dir), current_folder());
  const auto folders = standard_folders();
  if (!folders) {
    say_error(options, folders.error());
    return std::unexpected(kWrongUse);
  }
  std::error_code ignored;
  if (options.config.empty() && !fs::exists(config_file_of(options, *folders), ignored))
    return folders->state_dir;
  const auto context = load_context(options);
  if (!context) return std::unexpected(context.error());
  return context->settings.agent.state_dir;
}

fs::path render_program() { return sister_program("millrace-render"); }

bool has_renderer() {
  std::error_code ignored;
  return fs::exists(render_program(), ignored);
}

Error no_renderer() {
  return {ErrorKind::Configuration,
          "there is no local converter: it needs " + path_text(render_program().filename()) +
              ", which is not in this build; use a [converter.NAME] with a url",
          0,
          {}};
}

fs::path ledger_file(const Settings& settings) { return settings.agent.state_dir / "ledger.db"; }

fs::path control_socket(const Settings& settings, const StandardFolders& folders) {
  // A socket path holds 107 bytes (unix(7)), which a state folder's may exceed.
  const std::string id = to_hex(sha256(path_text(settings.agent.state_dir))).substr(0, 12);
  return folders.runtime_dir / ("control-" + id + ".sock");
}

Result<void> note_control_socket(const Settings& settings, const fs::path& socket) {
  const auto folder = real_file_system().open_directory(settings.agent.state_dir);
  if (!folder) return std::unexpected(folder.error());
  return write_small_file(**folder, kControlNote, path_text(socket) + "\n", Access::OwnerOnly);
}

void say_error(const Options& options, const Error& error) {
  if (options.json) {
    std::cout << nlohmann::json{{"error",
                                 {{"code", std::string(to_string(error.kind))},
                                  {"message", printable(error.message)}}}}
              << "\n";
  } else {
    std::cerr << "millrace: " << printable(error.message) << "\n";
  }
}

int exit_status_for(const Error& error) {
  return error.kind == ErrorKind::Exists ? kAlreadyRuns : kWrongUse;
}

Result<std::string> ask_agent(const Context& context, std::string_view method,
                              const std::string& path_and_query) {
  if (!instance_runs(context.settings.agent.state_dir)) {
    return fail(ErrorKind::Vanished, "no agent runs with the state folder " +
                                         path_text(context.settings.agent.state_dir) +
                                         "; `millrace run` starts one");
  }
  const fs::path socket = noted_control_socket(context);
  const auto agent = local_address(socket);
  if (!agent) return std::unexpected(agent.error());
  auto http = start_curl_http({});
  if (!http) return std::unexpected(http.error());
  HttpRequest request;
  request.method = std::string(method);
  request.url = agent->origin + path_and_query;
  request.unix_socket = agent->unix_socket;
  request.headers = agent->headers;
  auto exchange = (*http)->start(std::move(request), {});
  if (!exchange) return std::unexpected(exchange.error());
  auto head = (*exchange)->head();
  if (!head) {
    return with_context(head.error(), "the agent does not answer at " + path_text(socket) +
                                          " (just after its start, or while it ends, ask again)");
  }
  std::string body;
  std::array<std::byte, 16384> buffer{};
  for (;;) {
    const auto n = (*exchange)->read(buffer);
    if (!n) return with_context(n.error(), "the agent does not answer");
    if (*n == 0) break;
    body.append(reinterpret_cast<const char*>(buffer.data()), *n);
  }
  if (head->status == 200) return body;
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_discarded() || !json.contains("error")) {
    return fail(ErrorKind::Defect,
                "the agent answered with status " + std::to_string(head->status));
  }
  return fail(error_kind_from(json["error"].value("code", "")), json["error"].value("message", ""));
}

std::string percent_encode(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    if (std::isalnum(b) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += {'%', kDigits[b >> 4], kDigits[b & 15]};
    }
  }
  return out;
}

Result<void> make_state_dir(const fs::path& folder) {
  std::error_code problem;
  const bool made = fs::create_directories(folder, problem);
  if (problem) {
    return fail(ErrorKind::Configuration,
                "cannot make the state folder " + path_text(folder) + ": " + problem.message());
  }
  if (made) fs::permissions(folder, fs::perms::owner_all, problem);
  // The ledger's write-ahead log needs shared memory and locks that work.
  const auto kind = file_system_kind(folder);
  if (kind && kind->nature == FileSystemNature::Network) {
    return fail(ErrorKind::Configuration, "the state folder " + path_text(folder) +
                                              " is on a network file system (" + kind->name +
                                              "); set state_dir to a local folder");
  }
  return {};
}

}  // namespace millrace
