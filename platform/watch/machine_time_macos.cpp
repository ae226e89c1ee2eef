#include <ctime>

#include "platform/watch/machine_time.hpp"

namespace millrace {
namespace {

Duration read(clockid_t clock) {
  timespec t{};
  if (::clock_gettime(clock, &t) != 0) return Duration::zero();
  return std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec};
}

}  // namespace

// The first goes on while the machine sleeps, the second does not, clock_gettime(3).
Duration time_asleep() { return read(CLOCK_MONOTONIC_RAW) - read(CLOCK_UPTIME_RAW); }

Duration thread_cpu_time() { return read(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace millrace
