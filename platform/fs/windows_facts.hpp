// What Windows says about files, as numbers: pure, so that its tables are tested everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/base/result.hpp"
#include "platform/fs/drives.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

// FILE_ATTRIBUTE_*, and the reparse tag of a file that has FILE_ATTRIBUTE_REPARSE_POINT.
struct WindowsAttributes {
  std::uint32_t bits = 0;
  std::uint32_t reparse_tag = 0;
};

// A link is what leads elsewhere: a symbolic link, a junction, a mounted folder. Files that a
// filter driver keeps (deduplicated, compressed, of a cloud drive) have reparse points too, and are
// files. https://learn.microsoft.com/windows/win32/fileio/reparse-point-tags
FileType type_of(const WindowsAttributes& attributes);

// Its bytes are somewhere else, and reading or even opening it would fetch them: the file of a
// cloud drive or of an archive.
// https://learn.microsoft.com/windows/win32/fileio/file-attribute-constants
bool is_placeholder(const WindowsAttributes& attributes);

// FILETIME is in 100 ns since 1601; nanoseconds since 1970. 0 stays 0: no such time is kept.
std::int64_t unix_ns_of(std::int64_t file_time);

// Success if Windows takes the name for what it says, part by part, when it is not sent through the
// Win32 rules for paths. Input for `\` and `:`, which would lead elsewhere, for `* ? " < > |` and
// control characters, for more than 255 units, and for text that no name gives (to_utf16). Devices
// (`con.png`), dots and spaces at the end are names like any other here.
Result<void> check_windows_name(std::string_view name);

// How much of an absolute path, its parts divided by `\`, is the root that must be there before any
// folder can be made: `C:\`, `\\server\share\`, and the same behind `\\?\` or `\\?\UNC\`. The path
// of GCC's library takes a share for folders of the current drive.
std::size_t root_length(std::wstring_view path);

struct DriveFacts {
  std::string share;       // as WNetGetConnectionW names it: `\\nas\scans`
  std::string device;      // as QueryDosDeviceW does: `\Device\HarddiskVolume2`, `\??\C:\work`
  bool is_remote = false;  // GetDriveTypeW: DRIVE_REMOTE
};
// Nothing for a drive of the machine. `path` is absolute and begins with a drive.
std::optional<PersonalDrive> personal_drive(std::string_view path, const DriveFacts& facts);

}  // namespace millrace
