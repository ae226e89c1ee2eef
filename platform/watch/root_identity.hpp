// What the watchers ask the system about names, so that they need not know the system.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <system_error>

namespace millrace {

// Which directory a path leads to. Two equal identities are the same directory of the same mount.
struct RootIdentity {
  std::uint64_t device = 0;
  std::uint64_t file_id = 0;
  bool operator==(const RootIdentity&) const = default;
};

// Nothing if the path does not lead to a directory. May block on a share.
std::optional<RootIdentity> root_identity(const std::filesystem::path& root);

// One look at a name (links not followed).
struct PolledEntry {
  std::string leaf;
  bool is_directory = false;
  // Of a regular file: a number that changes when the file does. Nothing for all else.
  std::optional<std::uint64_t> stamp;
};

// Every entry of the directory `name` (relative, `/`, "" for the root itself) beneath `root`, in
// any order; an entry that was removed meanwhile may be missing. May block on a share.
std::error_code poll_directory(const std::filesystem::path& root, const std::string& name,
                               const std::function<void(PolledEntry)>& visit);

// Mixes one more number into a stamp: every bit of both moves every bit of the result (the
// finaliser of MurmurHash3, public domain).
constexpr std::uint64_t mix_into(std::uint64_t stamp, std::uint64_t number) {
  std::uint64_t x = stamp ^ number;
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

}  // namespace millrace
