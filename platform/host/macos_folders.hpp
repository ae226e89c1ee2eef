// Where things lie on macOS. Pure, so that its test runs everywhere.
#pragma once

#include <filesystem>

namespace millrace {

struct MacosFolders {
  std::filesystem::path config_file;
  std::filesystem::path state_dir;
  std::filesystem::path runtime_dir;  // empty where the path of a socket in it would be too long
};

// Of the user with this home folder (Apple's File System Programming Guide).
MacosFolders macos_folders(const std::filesystem::path& home);

}  // namespace millrace
