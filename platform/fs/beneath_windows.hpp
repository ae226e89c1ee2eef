// Resolves relative names beneath an open directory, never through a link.
#pragma once

#include <string>

#include "platform/fs/at_windows.hpp"

namespace millrace {

// To list and to look up; with `also` for more.
constexpr ACCESS_MASK kDirectoryAccess = FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES;

// The directory `name` beneath `root`, opened part by part; "" opens `root` anew. Input if a part
// of the name is a link or no name of Windows, Vanished if one is missing or no directory.
Result<Handle> open_directory_beneath(HANDLE root, const std::string& name, ACCESS_MASK also = 0);

// Where the last part of a name lies. Valid as long as `root` is open.
class Place {
 public:
  static Result<Place> find(HANDLE root, const std::string& name);
  HANDLE directory() const { return owned_ ? owned_.get() : root_; }
  const std::wstring& leaf() const { return leaf_; }

 private:
  Place(HANDLE root, Handle owned, std::wstring leaf)
      : root_(root), owned_(std::move(owned)), leaf_(std::move(leaf)) {}
  HANDLE root_;
  Handle owned_;  // empty where the parent is the root itself
  std::wstring leaf_;
};

}  // namespace millrace
