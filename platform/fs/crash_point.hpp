// Every call that changes something on disk passes here first, so that a test can end the process
// before each of them in turn. Called by platform/fs and by the ledger's adapter.
#pragma once

#include <cstdint>

namespace millrace {

#ifdef MILLRACE_CRASH_TESTS

// Numbers the calls of all threads from 1. With MILLRACE_DIE_AT=n in the environment the n-th call
// ends the process at once, as kill -9 would, before the change is made. With MILLRACE_COUNT_FILE
// the total is written to that file at a normal exit. With MILLRACE_MARK_CALLS each call is
// preceded by a system call that fails and changes nothing, for strace to see. Any thread; never
// blocks.
void crash_point();
std::uint64_t crash_points_passed();

constexpr int kCrashExitStatus = 137;  // what a shell reports for SIGKILL

#else

inline void crash_point() {}
inline std::uint64_t crash_points_passed() { return 0; }

#endif

}  // namespace millrace
