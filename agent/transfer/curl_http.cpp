#include "agent/transfer/curl_http.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "agent/transfer/curl_network.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {
namespace {

class CurlExchange final : public HttpExchange {
 public:
  CurlExchange(CurlNetwork& network, std::shared_ptr<ExchangeState> state, std::stop_token stop)
      : network_(network),
        state_(std::move(state)),
        on_stop_(std::move(stop), Cancel{this}),
        on_stop_upload_(state_->request.stop_upload, CancelUpload{this}) {
    tell(state_->begin());
  }
  ~CurlExchange() override { cancel(); }

  Result<Keep> send(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const auto pushed = state_->push(bytes);
      if (!pushed) return std::unexpected(pushed.error());
      tell(pushed->tell);
      if (pushed->keep == Keep::Enough) return Keep::Enough;
      bytes = bytes.subspan(pushed->taken);
    }
    return Keep::Going;
  }

  Result<HttpHead> head() override { return state_->head(); }

  Progress progress() const override { return state_->progress(); }

 private:
  struct Cancel {
    CurlExchange* exchange;
    void operator()() const { exchange->cancel(); }
  };
  struct CancelUpload {
    CurlExchange* exchange;
    void operator()() const { exchange->tell(exchange->state_->cancel_upload()); }
  };
  Result<std::span<const std::byte>> take() override {
    arrived_.clear();
    const auto taken = state_->take(arrived_);
    if (!taken) return std::unexpected(taken.error());
    tell(*taken);
    return std::span<const std::byte>(arrived_);
  }
  void cancel() { tell(state_->cancel()); }
  // With nothing to tell the network may be gone already.
  void tell(ExchangeState::Tell what) {
    if (what == ExchangeState::Tell::Nothing) return;
    const BeforeSending& hold = state_->request.before_sending;
    if (what != ExchangeState::Tell::Start || !hold) return network_.tell(what, state_);
    hold([&network = network_, state = state_](std::optional<Error> refused) {
      if (refused) return state->finish(std::move(refused));
      network.tell(ExchangeState::Tell::Start, state);
    });
  }

  CurlNetwork& network_;
  const std::shared_ptr<ExchangeState> state_;
  std::vector<std::byte> arrived_;
  // Last, so that they are gone before what they use.
  std::stop_callback<Cancel> on_stop_;
  std::stop_callback<CancelUpload> on_stop_upload_;
};

class CurlHttp final : public HttpClient {
 public:
  explicit CurlHttp(std::unique_ptr<CurlNetwork> network) : network_(std::move(network)) {}

  Result<std::unique_ptr<HttpExchange>> start(HttpRequest request, std::stop_token stop) override {
    auto target = target_of(request);
    if (!target) return std::unexpected(target.error());
    auto state = std::make_shared<ExchangeState>(std::move(request), std::move(*target));
    return std::make_unique<CurlExchange>(*network_, std::move(state), std::move(stop));
  }
  Counters counters() const override { return network_->counters(); }

 private:
  // A converter has one URL, and reading it takes longer than copying what came of it.
  Result<Target> target_of(const HttpRequest& request) EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      const bool same = request.url == url_ && request.unix_socket == unix_socket_;
      if (same && !url_.empty()) return target_;
    }
    auto target = check_target(request);
    if (!target) return target;
    const MutexLock lock(mutex_);
    url_ = request.url;
    unix_socket_ = request.unix_socket;
    target_ = *target;
    return target;
  }

  const std::unique_ptr<CurlNetwork> network_;
  Mutex mutex_;  // the URL that was checked last, and what came of it; empty before the first
  std::string url_ GUARDED_BY(mutex_), unix_socket_ GUARDED_BY(mutex_);
  Target target_ GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<HttpClient>> start_curl_http(CurlOptions options) {
  if (options.ca_file.empty()) options.ca_file = system_trust_file();
  std::error_code ignored;
  if (!options.ca_file.empty() && !std::filesystem::is_regular_file(options.ca_file, ignored))
    return fail(ErrorKind::Configuration, "no file with trusted certificates: " + options.ca_file);
  auto network = CurlNetwork::start(std::move(options));
  if (!network) return std::unexpected(network.error());
  return std::make_unique<CurlHttp>(std::move(*network));
}

}  // namespace millrace
