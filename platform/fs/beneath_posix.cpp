#include "platform/fs/beneath_posix.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "platform/fs/os_error.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

bool is_link(int directory, const char* leaf) {
  struct stat status{};
  return ::fstatat(directory, leaf, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

}  // namespace

Result<Descriptor> walk_to_directory(int root, const std::string& name, DirectoryUse use) {
  Descriptor here;
  const auto parts = split_name(name);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string part(parts[i]);
    const int above = here ? here.get() : root;
    const int flags =
        O_NOFOLLOW | directory_flags(i + 1 == parts.size() ? use : DirectoryUse::Lookup);
    Descriptor next(again_if_interrupted([&] { return ::openat(above, part.c_str(), flags); }));
    if (!next) {
      const int code = errno == ENOTDIR && is_link(above, part.c_str()) ? ELOOP : errno;
      return os_failure(code, name);
    }
    here = std::move(next);
  }
  return here;
}

Result<Descriptor> open_directory_again(int root, DirectoryUse use) {
  Descriptor self(again_if_interrupted([&] { return ::openat(root, ".", directory_flags(use)); }));
  if (!self) return os_failure(errno, ".");
  return self;
}

Result<Place> Place::find(int root, const std::string& name) {
  if (auto checked = check_relative_name(name); !checked) return std::unexpected(checked.error());
  const std::string parent(parent_of(name));
  std::string leaf(leaf_of(name));
  if (parent.empty()) return Place(root, Descriptor(), std::move(leaf));
  auto directory = open_directory_beneath(root, parent, DirectoryUse::Lookup);
  if (!directory) return std::unexpected(directory.error());
  return Place(root, std::move(*directory), std::move(leaf));
}

}  // namespace millrace
