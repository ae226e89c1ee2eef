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

Duration time_asleep() { return read(CLOCK_BOOTTIME) - read(CLOCK_MONOTONIC); }

Duration thread_cpu_time() { return read(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace millrace
