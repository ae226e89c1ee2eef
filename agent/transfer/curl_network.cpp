#include "agent/transfer/curl_network.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "platform/base/socket.hpp"
#include "platform/base/thread.hpp"

namespace millrace {
namespace {

#if defined(MILLRACE_NO_TLS_SHARE)
constexpr bool kShareBuilt = false;
#else
constexpr bool kShareBuilt = true;
#endif

constexpr int kIdleSleepMs = 60'000;
constexpr std::size_t kMaxFree = 64;

const Error& stopped() {
  static const Error error{ErrorKind::Stopped, "the exchange was stopped", 0, {}};
  return error;
}

Error refused_transfer() { return {ErrorKind::Defect, "libcurl refuses the transfer", 0, {}}; }

}  // namespace

Result<std::unique_ptr<CurlNetwork>> CurlNetwork::start(CurlOptions options) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_ALL);
  if (global != CURLE_OK) return fail(ErrorKind::Defect, "libcurl cannot start");
  std::unique_ptr<CurlNetwork> network{new CurlNetwork};
  network->context_.options = std::move(options);
  if (!network->open()) return fail(ErrorKind::Defect, "libcurl refuses its multi handle");
  network->thread_ =
      start_thread("network", [self = network.get()](std::stop_token) { self->run(); });
  return network;
}

CurlNetwork::~CurlNetwork() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) {
    curl_multi_wakeup(multi_);
    thread_.join();
  }
  close();
}

bool CurlNetwork::open() {
  multi_ = curl_multi_init();
  if (!multi_) return false;
  const CurlOptions& options = context_.options;
  const auto set = [&](CURLMoption option, long value) {
    return curl_multi_setopt(multi_, option, value) == CURLM_OK;
  };
  bool ok = set(CURLMOPT_MAXCONNECTS, static_cast<long>(options.max_connections)) &&
            set(CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(options.max_host_connections));
#if LIBCURL_VERSION_NUM >= 0x081400
  ok = ok && set(CURLMOPT_QUICK_EXIT, 1L);
#endif
  if (!kShareBuilt || options.tls_share == TlsShare::Off) return ok;
  // Used by this thread only, so it needs no lock functions: sharing TLS sessions between threads
  // is a data race before libcurl 8.10.
  share_ = curl_share_init();
  return ok && share_ &&
         curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK &&
         curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK;
}

void CurlNetwork::close() {
  free_.clear();
  // From 8.20 on cleaning up waits for a lookup that was left behind, for as long as it hangs;
  // the process is about to end, so the handles are leaked instead.
  const bool would_wait =
      lookup_abandoned_ && curl_version_info(CURLVERSION_NOW)->version_num >= 0x081400;
  if (would_wait) return;
  if (multi_) curl_multi_cleanup(multi_);
  if (share_) curl_share_cleanup(share_);
}

void CurlNetwork::tell(ExchangeState::Tell what, const std::shared_ptr<ExchangeState>& state) {
  bool refused = false;
  bool wake = false;
  {
    const MutexLock lock(mutex_);
    refused = stopping_;
    if (!refused) commands_.push_back({what, state});
    wake = std::exchange(asleep_, false);
  }
  if (refused) state->finish(stopped());
  if (wake) curl_multi_wakeup(multi_);
}

HttpClient::Counters CurlNetwork::counters() const {
  return {requests_.load(std::memory_order_relaxed),
          context_.connections.load(std::memory_order_relaxed),
          context_.resumed.load(std::memory_order_relaxed)};
}

void CurlNetwork::run() {
  int running = 0;
  while (obey_commands()) {
    context_.now = std::chrono::steady_clock::now();
    resume_closed_uploads();
    curl_multi_perform(multi_, &running);
    collect_finished();
    check_deadlines();
    if (context_.closed_early.empty() && may_sleep())
      curl_multi_poll(multi_, nullptr, 0, sleep_ms(), nullptr);
  }
  while (!active_.empty()) {
    Transfer& transfer = *active_.back();
    transfer.end(stopped());
    remove(transfer);
  }
}

// False when the thread is to end.
bool CurlNetwork::obey_commands() {
  bool stop = false;
  {
    const MutexLock lock(mutex_);
    asleep_ = false;
    batch_.swap(commands_);
    stop = stopping_;
  }
  if (!batch_.empty()) context_.now = std::chrono::steady_clock::now();
  for (Command& command : batch_) {
    if (stop)
      command.state->finish(stopped());
    else if (command.what == ExchangeState::Tell::Start)
      begin(command.state);
    else
      poke(*command.state);
  }
  batch_.clear();
  return !stop;
}

Transfer* CurlNetwork::free_transfer(std::optional<Error>& error) {
  if (free_.empty()) {
    auto made = Transfer::make(context_, share_);
    if (!made) {
      error = made.error();
      return nullptr;
    }
    free_.push_back(std::move(*made));
  }
  return free_.back().get();
}

void CurlNetwork::begin(const std::shared_ptr<ExchangeState>& state) {
  requests_.fetch_add(1, std::memory_order_relaxed);
  if (state->cancelled()) return state->finish(stopped());
  std::optional<Error> error;
  Transfer* transfer = free_transfer(error);
  if (!transfer) return state->finish(std::move(error));
  if (auto begun = transfer->begin(state); !begun) return state->finish(begun.error());
  if (curl_multi_add_handle(multi_, transfer->easy()) != CURLM_OK)
    return transfer->end(refused_transfer());
  transfer->index = active_.size();
  active_.push_back(std::move(free_.back()));
  free_.pop_back();
}

void CurlNetwork::poke(ExchangeState& state) {
  Transfer* transfer = state.transfer;
  if (!transfer) return;
  if (!state.cancelled()) return transfer->unpause();
  transfer->end(stopped());
  remove(*transfer);
}

void CurlNetwork::collect_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const int code = message->data.result;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    if (transfer->done(code) == Transfer::Done::FoundClosed)
      start_again(*transfer);
    else
      remove(*transfer);
  }
}

// On another connection: this one is closed already.
void CurlNetwork::start_again(Transfer& transfer) {
  curl_multi_remove_handle(multi_, transfer.easy());
  if (curl_multi_add_handle(multi_, transfer.easy()) == CURLM_OK) return;
  transfer.end(refused_transfer());
  remove(transfer);
}

void CurlNetwork::resume_closed_uploads() {
  auto closed = std::exchange(context_.closed_early, {});
  for (const ExchangeState* state : closed) state->transfer->unpause();
}

// Looks at the transfers only when a deadline known at the last look has passed or a phase began.
void CurlNetwork::check_deadlines() {
  if (!std::exchange(context_.phase_changed, false) && context_.now < next_check_) return;
  next_check_ = TimePoint::max();
  for (std::size_t i = active_.size(); i-- > 0;) {
    Transfer& transfer = *active_[i];
    const TimePoint deadline = transfer.deadline();
    if (deadline > context_.now) {
      next_check_ = std::min(next_check_, deadline);
      continue;
    }
    transfer.end(transfer.timeout_error());
    remove(transfer);
  }
}

bool CurlNetwork::may_sleep() {
  const MutexLock lock(mutex_);
  asleep_ = commands_.empty() && !stopping_;
  return asleep_;
}

int CurlNetwork::sleep_ms() const {
  const std::int64_t most =
      active_.empty() ? kIdleSleepMs
                      : std::min<std::int64_t>(kIdleSleepMs, longest_socket_wait().count());
  if (next_check_ == TimePoint::max()) return static_cast<int>(most);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_check_ - context_.now);
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, most));
}

// The transfer has ended already; its handle leaves the multi handle and waits for the next one.
void CurlNetwork::remove(Transfer& transfer) {
  curl_multi_remove_handle(multi_, transfer.easy());
  const std::size_t place = transfer.index;
  std::unique_ptr<Transfer> owned = std::move(active_[place]);
  if (place + 1 != active_.size()) {
    active_[place] = std::move(active_.back());
    active_[place]->index = place;
  }
  active_.pop_back();
  if (transfer.may_be_resolving()) {
    // A handle whose lookup may still run is not used again.
    lookup_abandoned_ = true;
    return;
  }
  if (free_.size() < kMaxFree) free_.push_back(std::move(owned));
}

}  // namespace millrace
