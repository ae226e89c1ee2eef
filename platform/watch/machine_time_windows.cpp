#include <windows.h>

#include "platform/watch/machine_time.hpp"

namespace millrace {
namespace {

using HundredNanoseconds = std::chrono::duration<std::int64_t, std::ratio<1, 10'000'000>>;

Duration duration_of(const FILETIME& time) {
  return HundredNanoseconds{
      static_cast<std::int64_t>(std::uint64_t{time.dwHighDateTime} << 32 | time.dwLowDateTime)};
}

}  // namespace

// GetTickCount64 counts while the machine sleeps, the unbiased time does not. The first is 16 ms
// coarse.
Duration time_asleep() {
  ULONGLONG awake = 0;
  if (!::QueryUnbiasedInterruptTime(&awake)) return Duration::zero();
  return std::chrono::milliseconds{static_cast<std::int64_t>(::GetTickCount64())} -
         HundredNanoseconds{static_cast<std::int64_t>(awake)};
}

Duration thread_cpu_time() {
  FILETIME created{}, ended{}, kernel{}, user{};
  if (!::GetThreadTimes(::GetCurrentThread(), &created, &ended, &kernel, &user))
    return Duration::zero();
  return duration_of(kernel) + duration_of(user);
}

}  // namespace millrace
