// Where one worker and the network thread meet over one request.
//
// Bytes cross in two bounded buffers that are swapped, not copied, on the reading side. A side that
// finds a buffer full or empty is remembered here, and the other side tells it when that changes;
// so a small exchange costs one wakeup each way.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "agent/transfer/http_client.hpp"
#include "agent/transfer/url_rule.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {

class Transfer;

class ExchangeState {
 public:
  static constexpr std::size_t kBuffer = 256 * 1024;      // bytes under way in each direction
  static constexpr std::size_t kWholeBody = 1024 * 1024;  // a body up to this is sent as one
  static constexpr std::size_t kWakeAt = 64 * 1024;       // a waiting reader is woken from here on

  ExchangeState(HttpRequest request, Target target);

  const HttpRequest request;
  const Target target;
  Transfer* transfer = nullptr;  // used by the network thread only

  // ---- the worker ----
  // What the worker must tell the network thread after a call, without a lock held.
  enum class Tell { Nothing, Start, Poke };
  struct Pushed {
    std::size_t taken = 0;
    Keep keep = Keep::Going;
    Tell tell = Tell::Nothing;
  };
  // Blocks while the buffer is full. An error if the exchange ended without an answer.
  Result<Pushed> push(std::span<const std::byte> bytes) EXCLUDES(mutex_);
  // Start for a request without a body; Nothing otherwise. Asked once.
  Tell begin() EXCLUDES(mutex_);
  Result<HttpHead> head() EXCLUDES(mutex_);
  // Blocks until there is something; swaps it into `into`, which is empty before, and after it
  // where nothing more comes.
  Result<Tell> take(std::vector<std::byte>& into) EXCLUDES(mutex_);
  // From any thread, any number of times: every wait ends with Stopped. Nothing of the body leaves
  // afterwards, so that progress() is final.
  Tell cancel() EXCLUDES(mutex_);
  // The same, unless the whole request has left.
  Tell cancel_upload() EXCLUDES(mutex_);
  HttpExchange::Progress progress() const;

  // ---- the network thread ----
  bool cancelled() EXCLUDES(mutex_);
  // Swaps what the worker sent into `into`; false (and a Poke later) if there is nothing yet.
  bool pull(std::vector<std::byte>& into) EXCLUDES(mutex_);
  // Before so much of the body leaves: false, and it must not, if the worker was told Stopped.
  bool note_sent(std::uint64_t body_sent) EXCLUDES(mutex_);
  void note_connected() { connected_.store(true, std::memory_order_relaxed); }
  void answer(HttpHead head) EXCLUDES(mutex_);
  // The answer is final although the body is not sent: send() says Enough from now on.
  void close_upload() EXCLUDES(mutex_);
  // False (and a Poke later) if the buffer is full.
  bool append(std::span<const std::byte> bytes) EXCLUDES(mutex_);
  // Nothing more happens. The first call counts.
  void finish(std::optional<Error> error) EXCLUDES(mutex_);

 private:
  // What the worker sleeps for: it is woken for nothing else.
  enum class Wait { No, ForRoom, ForAnswer };

  Tell submit() REQUIRES(mutex_);
  Tell stop() REQUIRES(mutex_);
  void wait(MutexLock& lock, Wait what) REQUIRES(mutex_);
  bool is_answer() REQUIRES(mutex_);
  bool has_much() const REQUIRES(mutex_);
  Error why_ended() const REQUIRES(mutex_);

  Mutex mutex_;
  CondVar changed_;  // only the worker waits
  std::vector<std::byte> up_ GUARDED_BY(mutex_);
  std::vector<std::byte> down_ GUARDED_BY(mutex_);
  std::uint64_t pushed_ GUARDED_BY(mutex_) = 0;  // bytes of the body that the worker sent
  std::optional<HttpHead> head_ GUARDED_BY(mutex_);
  std::optional<Error> error_ GUARDED_BY(mutex_);
  bool submitted_ GUARDED_BY(mutex_) = false;
  Wait waits_ GUARDED_BY(mutex_) = Wait::No;
  bool head_seen_ GUARDED_BY(mutex_) = false;
  bool upload_closed_ GUARDED_BY(mutex_) = false;
  bool upload_paused_ GUARDED_BY(mutex_) = false;
  bool download_paused_ GUARDED_BY(mutex_) = false;
  bool cancelled_ GUARDED_BY(mutex_) = false;
  bool finished_ GUARDED_BY(mutex_) = false;
  bool told_ GUARDED_BY(mutex_) = false;  // on_answer was called
  // Written by the network thread and read by anyone; sent_ under the mutex, for cancel().
  std::atomic<std::uint64_t> sent_{0};
  std::atomic<bool> connected_{false};
};

}  // namespace millrace
