// Time. Code that decides takes `now` as an argument; only loops ask a clock, once a turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace millrace {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::steady_clock::time_point;  // monotonic: every timer and deadline
using WallTime = std::chrono::system_clock::time_point;   // shown to people, kept in the ledger

// Asked from any thread; never blocks.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual WallTime wall_now() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall_now() const override { return std::chrono::system_clock::now(); }
};

// A clock that a test turns. Both times move together.
class ManualClock final : public Clock {
 public:
  TimePoint now() const override;
  WallTime wall_now() const override;
  void advance(Duration by);

 private:
  mutable std::mutex mutex_;
  TimePoint now_{std::chrono::hours{1}};
  WallTime wall_{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
};

// Milliseconds since 1970-01-01 UTC, the form in which the ledger and JSON keep wall time.
inline std::int64_t to_unix_ms(WallTime t) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count();
}
inline WallTime from_unix_ms(std::int64_t ms) { return WallTime{std::chrono::milliseconds{ms}}; }

}  // namespace millrace
