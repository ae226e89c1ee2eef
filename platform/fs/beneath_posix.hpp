// Resolves relative names beneath an open directory, never through a link.
#pragma once

#include <string>

#include "platform/base/descriptor_posix.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// Kernel: openat2(2) with RESOLVE_BENEATH, where there is one (Linux 5.6; a container may refuse
// it). Walk: one openat(2) with O_NOFOLLOW a part; what Kernel falls back to, and all of macOS.
enum class Resolver { Kernel, Walk };

enum class DirectoryUse { Lookup, Read };  // Read is needed to list and to sync

// The directory `name` beneath `root`; "" is a new description of `root` itself. Input if a part of
// the name is a link, Vanished if one is missing or no directory.
Result<Descriptor> open_directory_beneath(int root, const std::string& name, DirectoryUse use,
                                          Resolver resolver = Resolver::Kernel);

// Its parts. open(2) flags, by each system apart; `name` must be checked and not empty.
int directory_flags(DirectoryUse use);
Result<Descriptor> walk_to_directory(int root, const std::string& name, DirectoryUse use);
Result<Descriptor> open_directory_again(int root, DirectoryUse use);

// Where the last part of a name lies. Valid as long as `root` is open.
class Place {
 public:
  static Result<Place> find(int root, const std::string& name);
  int directory() const { return owned_ ? owned_.get() : root_; }
  const char* leaf() const { return leaf_.c_str(); }

 private:
  Place(int root, Descriptor owned, std::string leaf)
      : root_(root), owned_(std::move(owned)), leaf_(std::move(leaf)) {}
  int root_;
  Descriptor owned_;  // empty where the parent is the root itself
  std::string leaf_;
};

}  // namespace millrace
