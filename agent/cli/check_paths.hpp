// What a path leads to, for the checks that look at disks.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "config/settings.hpp"
#include "config/validate.hpp"
#include "platform/base/result.hpp"

namespace millrace {

struct PathTrouble {
  std::string message;
  std::string what_to_do;
};

// The path itself, or the nearest part above it that is there. May block on a share.
std::filesystem::path nearest_existing(const std::filesystem::path& path);

// Why files cannot be made in this folder, or it cannot be made itself; nothing if they can. Makes
// nothing.
std::optional<PathTrouble> why_not_writable(const std::filesystem::path& folder);
// The same for a folder that must be there, since the program never makes it.
std::optional<PathTrouble> why_not_there(const std::filesystem::path& folder);

// The settings with every path as the system sees it: symbolic links resolved, and a folder that is
// mounted at a second place named by the first inbox that is the same folder.
Settings with_real_places(const Settings& settings);
// For rules that are asked again: settings whose lines are not known.
Places unknown_places(const Settings& settings);

// Configuration if the state folder, its links followed, lies in an inbox. Only the state folder
// is looked at: an inbox may lie on a share that hangs.
Result<void> state_dir_apart(const Settings& settings);

}  // namespace millrace
