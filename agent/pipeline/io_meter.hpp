// How long the slowest file call on one root has been running: a hung share is seen from outside.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "platform/base/clock.hpp"

namespace millrace {

// A root whose call has lasted this long is stalled: it gets no further worker.
constexpr Duration kStalledAfter = std::chrono::seconds{10};

// One slot a worker. A worker writes its own slot only; anybody may ask.
class IoMeter {
 public:
  explicit IoMeter(std::size_t workers)
      : size_(workers), slots_(std::make_unique<std::atomic<std::int64_t>[]>(workers)) {}

  // Runs `call` and is seen as being inside it meanwhile.
  template <typename Call>
  auto timed(std::size_t worker, Call&& call) {
    const Inside inside(slots_[worker]);
    return std::forward<Call>(call)();
  }

  std::size_t size() const { return size_; }

  // How long the oldest call has been running at `now`; nothing if none is.
  std::optional<Duration> oldest(TimePoint now) const {
    std::int64_t first = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      // Relaxed: a value that is a moment old only delays the verdict.
      const std::int64_t since = slots_[i].load(std::memory_order_relaxed);
      if (since != 0 && (first == 0 || since < first)) first = since;
    }
    if (first == 0) return std::nullopt;
    return now.time_since_epoch() - std::chrono::nanoseconds{first};
  }

  // Calls that have been running for kStalledAfter or longer at `now`.
  int hung(TimePoint now) const {
    const std::int64_t latest = (now - kStalledAfter).time_since_epoch().count();
    int calls = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      const std::int64_t since = slots_[i].load(std::memory_order_relaxed);
      if (since != 0 && since <= latest) ++calls;
    }
    return calls;
  }

 private:
  struct Inside {
    explicit Inside(std::atomic<std::int64_t>& slot) : slot_(slot) {
      slot_.store(std::chrono::steady_clock::now().time_since_epoch().count(),
                  std::memory_order_relaxed);
    }
    ~Inside() { slot_.store(0, std::memory_order_relaxed); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    std::atomic<std::int64_t>& slot_;
  };

  std::size_t size_;
  std::unique_ptr<std::atomic<std::int64_t>[]> slots_;
};

}  // namespace millrace
