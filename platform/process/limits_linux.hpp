// Resource limits as the kernel takes them. Used inside this unit only.
#pragma once

#include <sys/resource.h>

#include <array>

#include "platform/process/process.hpp"

namespace millrace::process {

struct LimitRow {
  int resource = -1;  // RLIMIT_*; -1: nothing to set
  rlimit value{};
};
using LimitRows = std::array<LimitRow, 5>;

// The last row is always "no core file".
LimitRows limit_rows(const ResourceLimits& limits);

// Async-signal-safe: may run between fork and exec. 0, or errno of the first refusal.
int apply_limits(const LimitRows& rows);

}  // namespace millrace::process
