#include "agent/serve/conversion_server.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <optional>

#include "agent/serve/convert_request.hpp"
#include "agent/serve/fetch_link.hpp"
#include "agent/serve/gatekeeper.hpp"
#include "agent/serve/json_text.hpp"
#include "agent/serve/serve_metrics.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/thread.hpp"
#include "platform/http/server.hpp"
#include "platform/http/wire_text.hpp"

namespace millrace {
namespace {

using namespace serve;

constexpr std::uint64_t kFormFrame = 512 * 1024;  // what a form may add to the file in it
constexpr std::uint64_t kSpoolAbove = 1'000'000;
constexpr int kSpareConnections = 32;  // for health, metrics and clients that idle

enum class Keep { No, Yes };  // whether the same bytes would end in the same way again

struct CodeRow {
  RenderCode code;
  int status;
  Keep keep;
};
constexpr std::array<CodeRow, 8> kCodes = {{
    {RenderCode::Ok, 200, Keep::Yes},
    {RenderCode::UnsupportedRoute, 415, Keep::Yes},
    {RenderCode::BrokenInput, 422, Keep::Yes},
    {RenderCode::TooLarge, 422, Keep::Yes},
    {RenderCode::BadOption, 422, Keep::Yes},
    {RenderCode::DecoderCrashed, 422, Keep::No},
    {RenderCode::TooSlow, 422, Keep::No},
    {RenderCode::Internal, 500, Keep::No},
}};

struct Answer {
  ServerResponse response;
  Keep keep = Keep::No;
  std::uint64_t bytes = 0;
};

bool is_usable_key(std::string_view key) {
  static constexpr std::string_view kSigns = "._-:+/";
  return key.size() <= 128 && std::all_of(key.begin(), key.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  kSigns.find(c) != std::string_view::npos;
         });
}

bool is_loopback(const std::string& host) { return host.starts_with("127.") || host == "::1"; }

Result<void> check(const ConversionServerOptions& options) {
  const auto refuse = [](const char* why) { return fail(ErrorKind::Configuration, why); };
  if (options.renderers < 1) return refuse("at least one renderer is needed");
  if (options.queue_limit < 0) return refuse("the queue limit is negative");
  if (options.max_size == 0) return refuse("the size limit is zero");
  if (options.scratch.empty()) return refuse("a scratch folder is needed");
  if (!options.unix_socket.empty()) return {};
  const auto place = parse_host_port(options.listen);
  if (!place) return std::unexpected(place.error());
  if (is_loopback(place->host)) return {};
  if (options.certificate.empty() || options.token.empty())
    return fail(ErrorKind::Configuration,
                "refusing to serve on " + options.listen +
                    ": other machines reach it, so it needs TLS (certificate and key) and a token");
  return {};
}

class LocalConversionServer final : public ConversionServer {
 public:
  LocalConversionServer(ConversionServerOptions options, ConversionServerParts parts)
      : options_(std::move(options)),
        parts_(std::move(parts)),
        clock_(parts_.clock != nullptr ? *parts_.clock : system_clock_),
        gate_({options_.token, options_.unix_socket.empty() && options_.token.empty(),
               options_.renderers + options_.queue_limit}),
        cache_({options_.cache_bytes, options_.cache_age}) {}

  ~LocalConversionServer() override { stop(std::chrono::milliseconds{0}); }

  Result<void> start() {
    auto scratch = ScratchFolder::open(options_.scratch);
    if (!scratch) return std::unexpected(scratch.error());
    scratch_ = std::move(*scratch);
    for (int i = 0; i < options_.renderers; ++i) renderers_.push_back(parts_.make_renderer());
    const auto formats = renderers_.front()->formats();
    if (!formats) return std::unexpected(formats.error());
    formats_ = formats_document(*formats);
    for (const auto& route : formats->routes) sources_.push_back(route.from);

    auto http = start_http_server(http_options(), [this](auto request, Respond respond) {
      handle(std::move(request), std::move(respond));
    });
    if (!http) return std::unexpected(http.error());
    http_ = std::move(*http);
    for (auto& renderer : renderers_)
      dispatchers_.push_back(start_thread(
          "render", [this, &renderer](std::stop_token stop) { dispatch(*renderer, stop); }));
    return {};
  }

  std::string address() const override { return http_->address(); }

  void stop(std::chrono::milliseconds patience) override {
    if (http_) http_->stop(patience);
    for (auto& dispatcher : dispatchers_) dispatcher.request_stop();
    for (auto& renderer : renderers_) renderer->cancel();
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
      ready_.notify_all();
    }
    for (auto& dispatcher : dispatchers_)
      if (dispatcher.joinable()) dispatcher.join();
  }

 private:
  struct Work {
    std::shared_ptr<ServerRequest> request;
    Respond respond;
  };

  ServerOptions http_options() {
    ServerOptions http;
    http.unix_socket = options_.unix_socket;
    if (options_.unix_socket.empty()) http.address = options_.listen;
    http.certificate = options_.certificate;
    http.private_key = options_.private_key;
    http.max_body = options_.max_size + kFormFrame;
    http.spool_above = kSpoolAbove;
    http.spool_dir = options_.scratch;
    http.max_connections = options_.renderers + options_.queue_limit + kSpareConnections;
    http.admit = [this](ServerRequest& request) {
      auto refused = gate_.admit(request);
      if (refused) metrics_.answered(refused->status);
      return refused;
    };
    return http;
  }

  // On the HTTP server's thread.
  void handle(std::shared_ptr<ServerRequest> request, Respond respond) {
    if (request->method == "POST") {
      const MutexLock lock(mutex_);
      waiting_.push_back({std::move(request), std::move(respond)});
      ready_.notify_one();
      return;
    }
    ServerResponse response;
    if (request->path == "/v1/formats") response.body = formats_;
    if (request->path == "/healthz") response.body = "{\"status\":\"ok\"}\n";
    if (request->path == "/metrics") {
      response.content_type = "text/plain; version=0.0.4";
      response.body = metrics_.text(gate_.in_flight(), cache_.usage());
    }
    send(respond, std::move(response));
  }

  void send(const Respond& respond, ServerResponse response) {
    metrics_.answered(response.status);
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    respond(std::move(response));
  }

  void dispatch(Renderer& renderer, const std::stop_token& stop) {
    while (auto work = next()) {
      auto answer = convert(*work->request, renderer, stop);
      // The place in the queue and the files are given back first: who has read the answer may
      // count on them.
      work->request.reset();
      send(work->respond, std::move(answer));
    }
  }

  std::optional<Work> next() {
    MutexLock lock(mutex_);
    while (waiting_.empty() && !stopping_) ready_.wait(lock);
    if (stopping_) return std::nullopt;
    Work work = std::move(waiting_.front());
    waiting_.pop_front();
    return work;
  }

  ServerResponse convert(ServerRequest& request, Renderer& renderer, const std::stop_token& stop) {
    const std::string key(request.header("idempotency-key"));
    if (!is_usable_key(key))
      return error_response(400, "bad_idempotency_key", "up to 128 of A-Z a-z 0-9 . _ - : + /");
    auto job = read_convert_request(request, *scratch_, options_.max_size);
    if (!job) return std::move(job.error());
    if (key.empty()) return run(*job, renderer, stop).response;

    auto claimed = cache_.begin(key, fingerprint(*job), clock_.now());
    switch (claimed.claim) {
      case IdempotencyCache::Claim::InFlight:
        return error_response(409, "idempotency_key_in_flight", "this key is being converted");
      case IdempotencyCache::Claim::Reused:
        return error_response(422, "idempotency_key_reused",
                              "this key stands for other content, target or options");
      case IdempotencyCache::Claim::Replay:
        metrics_.replayed();
        claimed.answer.headers.emplace_back("Idempotent-Replay", "true");
        return std::move(claimed.answer);
      case IdempotencyCache::Claim::Begun:
        break;
    }
    Answer answer = run(*job, renderer, stop);
    if (answer.keep == Keep::Yes) {
      cache_.finish(key, answer.response, answer.bytes, clock_.now());
    } else {
      cache_.abandon(key);
    }
    return std::move(answer.response);
  }

  Answer run(ConvertRequest& request, Renderer& renderer, const std::stop_token& stop) {
    if (request.input.empty()) {
      const FetchRules rules{options_.allow_fetch, options_.ca_file, options_.max_size};
      auto fetched = fetch_link(parts_.fetch, rules, request, *scratch_, clock_, stop);
      if (!fetched) return {std::move(fetched.error())};
    }
    const auto output = scratch_->name("out");
    RenderJob job{request.input,  output->path(),  source_hint(request.source),
                  request.target, request.options, options_.limits};
    const TimePoint began = clock_.now();
    const auto rendered = renderer.render(job);
    if (!rendered) {
      metrics_.rendered(RenderCode::Internal, clock_.now() - began);
      return {error_response(503, "unavailable", rendered.error().message)};
    }
    metrics_.rendered(rendered->code, clock_.now() - began);
    return answer_for(*rendered, output);
  }

  // The extension of an upload's name is only a hint: one that names no format is left out.
  std::string source_hint(const std::string& source) const {
    const bool known = std::find(sources_.begin(), sources_.end(), source) != sources_.end();
    return known ? source : std::string{};
  }

  static Answer answer_for(const Rendered& rendered, const std::shared_ptr<ScratchFile>& output) {
    const CodeRow& row = kCodes.at(static_cast<std::size_t>(rendered.code));
    if (rendered.code != RenderCode::Ok)
      return {error_response(row.status, name_of(rendered.code), rendered.message), row.keep};
    std::error_code error;
    const auto status = std::filesystem::symlink_status(output->path(), error);
    const auto size = std::filesystem::is_regular_file(status)
                          ? std::filesystem::file_size(output->path(), error)
                          : 0;
    if (error || size == 0)
      return {error_response(500, "internal", "the renderer promised a file that is not there")};
    Answer answer;
    answer.keep = row.keep;
    answer.bytes = size;
    answer.response.content_type = rendered.content_type;
    answer.response.body_file = output->path();
    answer.response.keep_alive = output;
    return answer;
  }

  // -- fixed after start() -----------------------------------------------------------------------
  const ConversionServerOptions options_;
  const ConversionServerParts parts_;
  const SystemClock system_clock_;
  const Clock& clock_;
  std::unique_ptr<ScratchFolder> scratch_;
  std::vector<std::unique_ptr<Renderer>> renderers_;
  std::vector<std::string> sources_;
  std::string formats_;
  // -- safe from any thread ----------------------------------------------------------------------
  Gatekeeper gate_;
  IdempotencyCache cache_;
  ServeMetrics metrics_;
  // -- guarded -----------------------------------------------------------------------------------
  Mutex mutex_;
  CondVar ready_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::deque<Work> waiting_ GUARDED_BY(mutex_);

  std::unique_ptr<HttpServer> http_;
  std::vector<std::jthread> dispatchers_;
};

}  // namespace

Result<std::unique_ptr<ConversionServer>> start_conversion_server(ConversionServerOptions options,
                                                                  ConversionServerParts parts) {
  if (auto checked = check(options); !checked) return std::unexpected(checked.error());
  auto server = std::make_unique<LocalConversionServer>(std::move(options), std::move(parts));
  if (auto started = server->start(); !started) return std::unexpected(started.error());
  return server;
}

}  // namespace millrace
