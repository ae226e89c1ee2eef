// How fast a count has grown of late: what the time left is estimated from.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "platform/base/clock.hpp"

namespace millrace {

// Reads no clock. One thread.
class RecentRate {
 public:
  // What happened longer ago does not count, so that a change of pace shows.
  static constexpr Duration kWindow = std::chrono::minutes{1};

  void note(std::int64_t count, TimePoint now);
  // Nothing before half a second has been seen, or while nothing grows.
  std::optional<double> per_second() const;

 private:
  struct Sample {
    TimePoint when;
    std::int64_t count;
  };
  std::deque<Sample> samples_;  // about one a second; the last one is of now
};

}  // namespace millrace
