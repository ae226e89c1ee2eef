#include "platform/process/limits_linux.hpp"

#include <cerrno>

namespace millrace::process {
namespace {

LimitRow row(int resource, const std::optional<std::uint64_t>& value) {
  if (!value) return {};
  return {resource, {static_cast<rlim_t>(*value), static_cast<rlim_t>(*value)}};
}

}  // namespace

LimitRows limit_rows(const ResourceLimits& limits) {
  std::optional<std::uint64_t> cpu;
  if (limits.cpu_time) cpu = static_cast<std::uint64_t>(limits.cpu_time->count());
  return {row(RLIMIT_AS, limits.address_space), row(RLIMIT_CPU, cpu),
          row(RLIMIT_FSIZE, limits.file_size), row(RLIMIT_NOFILE, limits.open_files),
          row(RLIMIT_CORE, 0)};
}

int apply_limits(const LimitRows& rows) {
  for (const LimitRow& wanted : rows) {
    if (wanted.resource < 0) continue;
    const auto resource = static_cast<__rlimit_resource>(wanted.resource);
    rlimit now{};
    if (::getrlimit(resource, &now) != 0) return errno;
    // An unprivileged process may only lower a hard limit; one that is lower already is enough.
    rlimit value = wanted.value;
    if (value.rlim_max > now.rlim_max) value = {now.rlim_max, now.rlim_max};
    if (::setrlimit(resource, &value) != 0) return errno;
  }
  return 0;
}

}  // namespace millrace::process
