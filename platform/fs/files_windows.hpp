// Open files on Windows.
#pragma once

#include <windows.h>

#include <memory>
#include <optional>
#include <string>

#include "platform/base/handle_windows.hpp"
#include "platform/fs/file_system.hpp"
#include "platform/fs/os_error.hpp"
#include "platform/fs/windows_facts.hpp"

namespace millrace {

// GetLastError() of the call before.
inline std::unexpected<Error> last_failure(const std::string& what) {
  return os_failure(static_cast<int>(::GetLastError()), what);
}

// What is known of a volume, asked once when a directory on it is opened.
struct VolumeTraits {
  std::string name;              // "NTFS"
  bool stable_ids = false;       // not on FAT and shares
  bool sees_all_writers = true;  // false: writers on other machines, or on the server itself
  bool writable = true;
};

// Which file a handle leads to, for comparisons within one run.
struct FileIdentity {
  std::uint64_t volume = 0;
  std::uint64_t file = 0;
  bool operator==(const FileIdentity&) const = default;
};

// Nothing, and GetLastError() says why.
std::optional<WindowsAttributes> attributes_of(HANDLE file);
std::optional<FileIdentity> identity_of(HANDLE file);

Result<FileInfo> info_of(HANDLE file, const std::string& name, const VolumeTraits& volume);

// `look` is open for its attributes alone; the bytes are opened through it. A file that a writer
// does not let others read is opened all the same: writer() says Open, and reading fails.
Result<std::unique_ptr<InputFile>> make_input_file(Handle look, std::string name,
                                                   const VolumeTraits& volume);
std::unique_ptr<NewFile> make_new_file(Handle file, std::string name);

}  // namespace millrace
