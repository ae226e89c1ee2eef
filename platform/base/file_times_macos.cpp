#include "platform/base/file_times_posix.hpp"

namespace millrace {
namespace {

std::int64_t to_ns(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::int64_t modified_ns(const struct stat& status) { return to_ns(status.st_mtimespec); }

std::int64_t changed_ns(const struct stat& status) { return to_ns(status.st_ctimespec); }

}  // namespace millrace
