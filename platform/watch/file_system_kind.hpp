// What file_system_kind() makes of a type, apart so that a test can ask every row.
#pragma once

#include <cstdint>
#include <string_view>

#include "platform/watch/watcher.hpp"

namespace millrace {

// `type` is f_type of statfs(2); `mount_type` is what /proc/self/mountinfo calls it, or "".
// An unknown type is taken as local.
FileSystemKind file_system_kind_of(std::uint64_t type, std::string_view mount_type);

}  // namespace millrace
