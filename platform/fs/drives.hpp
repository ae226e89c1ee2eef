// Drives of Windows that one person has: shares that were connected (`net use`), folders that were
// made a drive (`subst`). They come and go with a log-on, and no service has them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace millrace {

struct PersonalDrive {
  std::string drive;    // "M:"
  std::string instead;  // the same place without it: `\\nas\scans\in`; empty if that is not known
};

// Nothing if the path begins with no such drive; other systems have none. Asks this machine alone,
// never a share.
std::optional<PersonalDrive> personal_drive_of(const std::filesystem::path& path);

}  // namespace millrace
