// The times of a file, whose members have other names on each system.
#pragma once

#include <sys/stat.h>

#include <cstdint>

namespace millrace {

std::int64_t modified_ns(const struct stat& status);
std::int64_t changed_ns(const struct stat& status);

}  // namespace millrace
