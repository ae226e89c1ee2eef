// The table behind file_system_kind() on Windows, apart so that a test can ask every row.
#pragma once

#include <string>

#include "platform/watch/watcher.hpp"

namespace millrace {

// `drive_type` as GetDriveTypeW gives it; `name` as GetVolumeInformationW does: "NTFS".
FileSystemKind kind_of_volume(unsigned drive_type, const std::string& name);

}  // namespace millrace
