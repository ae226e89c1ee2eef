// What macOS means by its dates, codes and refusals. Pure, so that the tables of its tests run
// everywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

// Whether a creation date (seconds of Unix time) is one of those by which the Finder marks a file
// that it is still copying.
bool is_busy_creation_date(std::int64_t seconds);

// Whether errno of F_FULLFSYNC says that the file system or the drive does not know it, fcntl(2).
bool knows_no_full_sync(int os_code);

constexpr std::string_view kFullDiskAccess = "Full Disk Access";

// What the system's privacy settings call the place of a folder; kFullDiskAccess where they have no
// name for it.
std::string_view privacy_area(std::string_view folder, std::string_view home);

// What to do before a program is let into a folder that is in an area with a name.
std::string privacy_advice(const std::string& folder, std::string_view area,
                           const std::string& program);

// EPERM where the mode of a folder permits all: the words that say what to grant, and to which
// program. One line.
std::string privacy_refusal(const std::string& folder, std::string_view home,
                            const std::string& program);

}  // namespace millrace
