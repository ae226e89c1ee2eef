// What is known of the file systems of macOS by their names: the one table of them. Pure, so that
// its test runs everywhere.
#pragma once

#include <string_view>

#include "platform/base/file_system_nature.hpp"

namespace millrace {

struct MacosVolume {
  FileSystemNature nature = FileSystemNature::Local;
  FileIds ids = FileIds::Stable;
};

// `name` is f_fstypename of statfs(2), `is_local` the flag MNT_LOCAL of it, which decides for a
// name that is not known.
MacosVolume macos_volume(std::string_view name, bool is_local);

}  // namespace millrace
