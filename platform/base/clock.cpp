#include "platform/base/clock.hpp"

namespace millrace {

TimePoint ManualClock::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

WallTime ManualClock::wall_now() const {
  const std::lock_guard lock(mutex_);
  return wall_;
}

void ManualClock::advance(Duration by) {
  const std::lock_guard lock(mutex_);
  now_ += std::chrono::duration_cast<TimePoint::duration>(by);
  wall_ += std::chrono::duration_cast<WallTime::duration>(by);
}

}  // namespace millrace
