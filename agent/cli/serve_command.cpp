// `millrace serve`: the local conversion API on its own, or as the agent's embedded converter.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "agent/cli/context.hpp"
#include "agent/report/log.hpp"
#include "agent/serve/conversion_server.hpp"
#include "agent/serve/process_renderer.hpp"
#include "agent/transfer/curl_http.hpp"
#include "config/values.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::string_view kDefaultListen = "127.0.0.1:8651";
// Of one render worker: a decoder that wants more is at fault.
constexpr std::uint64_t kRenderMemory = 4'000'000'000;
constexpr std::uint64_t kLargestOutput = 2'000'000'000;
// Answers under way when the server is asked to stop.
constexpr std::chrono::milliseconds kStopPatience{3000};
constexpr Duration kShortestLimit = std::chrono::seconds{1};
constexpr Duration kLongestLimit = std::chrono::days{7};

Result<ConversionServerOptions> server_options(const Options& options,
                                               const StandardFolders& folders) {
  ConversionServerOptions server;
  const std::string listen = options.listen.empty() ? std::string(kDefaultListen) : options.listen;
  if (listen.starts_with(kUnixPrefix)) {
    server.unix_socket = native_path(listen.substr(kUnixPrefix.size()));
  } else {
    server.listen = listen;
  }
  server.certificate = native_path(options.cert);
  server.private_key = native_path(options.key);
  server.ca_file = options.ca_file;
  server.allow_fetch = options.allow_fetch;
  server.scratch = options.scratch.empty()
                       ? folders.state_dir / "serve"
                       : full_path(native_path(options.scratch), current_folder());
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  server.renderers = options.renderers > 0 ? options.renderers : static_cast<int>(cores);
  const auto size = parse_size(options.max_size);
  if (!size || *size == 0) {
    return fail(ErrorKind::Configuration, "--max-size must be a size such as 100MB, not \"" +
                                              printable(options.max_size) + "\"");
  }
  server.max_size = *size;
  const auto limit = parse_duration(options.time_limit);
  if (!limit || *limit < kShortestLimit || *limit > kLongestLimit) {
    return fail(ErrorKind::Configuration,
                "--time-limit must be a duration from 1s to 7d, such as 120s, not \"" +
                    printable(options.time_limit) + "\"");
  }
  server.limits.time = std::chrono::ceil<std::chrono::seconds>(*limit);
  // Said here: the TLS library's own words for it help nobody.
  for (const auto& [option, file] : {std::pair{"--ca-file", options.ca_file},
                                     {"--cert", options.cert},
                                     {"--key", options.key}}) {
    std::error_code ignored;
    if (file.empty() || std::filesystem::is_regular_file(file, ignored)) continue;
    return fail(ErrorKind::Configuration,
                std::string(option) + ": there is no file " + printable(file));
  }
  if (!options.token_file.empty()) {
    auto token = read_secret_file(native_path(options.token_file));
    if (!token) return std::unexpected(token.error());
    server.token = std::move(*token);
  }
  return server;
}

int refuse(const Options& options, const Error& error) {
  say_error(options, error);
  return exit_status_for(error);
}

}  // namespace

int run_serve(const Options& options) {
  const std::unique_ptr<SignalSource> signals = take_signals();
  const auto folders = standard_folders();
  if (!folders) return refuse(options, folders.error());
  auto server_settings = server_options(options, *folders);
  if (!server_settings) return refuse(options, server_settings.error());
  if (!has_renderer()) return refuse(options, no_renderer());
  if (auto made = make_state_dir(server_settings->scratch); !made) {
    return refuse(options, made.error());
  }
  // Before anything in it is touched: a start removes what an earlier server left there.
  auto lock = lock_instance(server_settings->scratch);
  if (!lock) {
    Error error = lock.error();
    if (error.kind == ErrorKind::Exists) error.message += "; --scratch names another folder";
    return refuse(options, error);
  }
  auto launcher = make_launcher();
  if (!launcher) return refuse(options, launcher.error());
  auto http = start_curl_http({});
  if (!http) return refuse(options, http.error());
  if (auto logging = start_log("info"); !logging) return refuse(options, logging.error());

  ProcessRendererOptions renderer;
  renderer.program = render_program();
  renderer.scratch = server_settings->scratch;
  renderer.limits.address_space = kRenderMemory;
  renderer.limits.file_size = kLargestOutput;
  ConversionServerParts parts;
  parts.make_renderer = [&] { return make_process_renderer(renderer, **launcher); };
  parts.fetch = http->get();
  auto server = start_conversion_server(std::move(*server_settings), std::move(parts));
  if (!server) return refuse(options, server.error());
  // The agent waits for this line; people read it.
  if (options.json) {
    std::cout << nlohmann::json{{"serving_on", (*server)->address()}} << std::endl;
  } else {
    std::cout << "serving on " << (*server)->address() << std::endl;
  }
  notify_service_manager("READY=1");
  while (signals->wait(std::chrono::seconds{3600}) != Signal::Stop) {
  }
  (*server)->stop(kStopPatience);
  if (!stop_log()) exit_now(kAllWell);
  return kAllWell;
}

}  // namespace millrace
