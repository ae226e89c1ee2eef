// What the watchers ask the system about single names, so that they need not know the system.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace millrace {

// Which directory a path leads to. Two equal identities are the same directory of the same mount.
struct RootIdentity {
  std::uint64_t device = 0;
  std::uint64_t file_id = 0;
  bool operator==(const RootIdentity&) const = default;
};

// Nothing if the path does not lead to a directory. May block on a share.
std::optional<RootIdentity> root_identity(const std::filesystem::path& root);

// One look at a name (links not followed) as a number that changes when the file does; nothing if
// the name is not there or is no regular file. May block on a share.
std::optional<std::uint64_t> polled_stamp(const std::filesystem::path& file);

}  // namespace millrace
