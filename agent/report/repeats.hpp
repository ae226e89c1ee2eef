// Collapses log lines that come again and again.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "platform/base/clock.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {

// The first of equal lines is written; those that follow are counted and held back, and one is
// written after a minute, then two, four, up to an hour, each with the number of those that were
// not. A line that rested for an hour begins anew with a minute. So a fault that lasts costs some
// thirty lines a day, whatever its rate. Thread-safe.
class Repeats {
 public:
  static constexpr Duration kFirstWait = std::chrono::minutes{1};
  static constexpr Duration kLongestWait = std::chrono::hours{1};
  static constexpr std::size_t kMostLines = 1024;

  // How many equal lines were held back before this one; nothing if this one is held back too.
  std::optional<int> pass(std::string_view line, TimePoint now) EXCLUDES(mutex_);
  std::size_t remembered() const EXCLUDES(mutex_);  // at most kMostLines

 private:
  struct Seen {
    TimePoint written;
    TimePoint came;
    Duration wait = kFirstWait;
    int held_back = 0;
  };
  void make_room(TimePoint now) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::unordered_map<std::size_t, Seen> seen_ GUARDED_BY(mutex_);
};

}  // namespace millrace
