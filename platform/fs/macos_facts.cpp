#include "platform/fs/macos_facts.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

// 1 January 1904, zero in the time of HFS+; 14 February 1946 08:34:56, kMagicBusyCreationDate of
// Finder.h; 24 January 1984 08:00, what the Finder of today sets. All in UTC.
constexpr std::int64_t kBusyDates[] = {-2'082'844'800, -753'578'704, 443'779'200};

constexpr int kNoFullSync[] = {ENOTSUP, EOPNOTSUPP, EINVAL, ENOTTY, ENODEV};

struct Area {
  std::string_view beneath;  // "~" is the home folder
  std::string_view name;
};

// As System Settings, Privacy & Security, shows them.
constexpr Area kAreas[] = {
    {"~/Desktop", "Files and Folders"},
    {"~/Documents", "Files and Folders"},
    {"~/Downloads", "Files and Folders"},
    {"~/Library/Mobile Documents", "Files and Folders"},  // iCloud Drive
    {"~/Library/CloudStorage", "Files and Folders"},      // other cloud drives
    {"/Volumes", "Files and Folders"},                    // removable and network volumes
    {"~/Pictures/Photos Library.photoslibrary", "Photos"},
};

bool is_beneath(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool is_in(std::string_view folder, std::string_view home, const Area& area) {
  if (!area.beneath.starts_with('~')) return is_beneath(folder, area.beneath);
  return is_beneath(folder, std::string(home) + std::string(area.beneath.substr(1)));
}

}  // namespace

bool is_busy_creation_date(std::int64_t seconds) {
  return std::ranges::find(kBusyDates, seconds) != std::end(kBusyDates);
}

bool knows_no_full_sync(int os_code) {
  return std::ranges::find(kNoFullSync, os_code) != std::end(kNoFullSync);
}

std::string_view privacy_area(std::string_view folder, std::string_view home) {
  const auto* area =
      std::ranges::find_if(kAreas, [&](const Area& one) { return is_in(folder, home, one); });
  return area == std::end(kAreas) ? kFullDiskAccess : area->name;
}

std::string privacy_advice(const std::string& folder, std::string_view area,
                           const std::string& program) {
  return printable(folder) +
         " is protected: if macOS asks, allow it, else open System Settings > " +
         "Privacy & Security > " + std::string(area) + " and switch it on for " +
         printable(program);
}

std::string privacy_refusal(const std::string& folder, std::string_view home,
                            const std::string& program) {
  return printable(folder) + " is there, but macOS does not let this program in: open System " +
         "Settings > Privacy & Security > " + std::string(privacy_area(folder, home)) +
         ", switch it on for " + printable(program) +
         " (Full Disk Access serves as well; add the program with + if it is not listed; started " +
         "in a terminal, it is the terminal that needs it), then start Millrace again";
}

}  // namespace millrace
