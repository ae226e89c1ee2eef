#include "platform/fs/beneath_linux.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <atomic>

#include "platform/fs/os_error.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

// Atomic: found out once by whichever thread comes first; a stale answer costs one call.
std::atomic<bool> openat2_is_missing{false};

int flags_for(DirectoryUse use) {
  return O_DIRECTORY | O_CLOEXEC | (use == DirectoryUse::Lookup ? O_PATH : O_RDONLY);
}

// -1 with errno.
int open_with_kernel(int root, const char* name, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  constexpr int kTries = 4;  // EAGAIN: something was renamed or mounted during the walk
  for (int i = 0; i < kTries; ++i) {
    const auto fd = ::syscall(SYS_openat2, root, name, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if (errno != EAGAIN && errno != EINTR) return -1;
  }
  return -1;
}

bool is_link(int directory, const char* leaf) {
  struct stat status{};
  return ::fstatat(directory, leaf, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

Result<Descriptor> walk(int root, const std::string& name, DirectoryUse use) {
  Descriptor here;
  const auto parts = split_name(name);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string part(parts[i]);
    const int above = here ? here.get() : root;
    const int flags = O_NOFOLLOW | flags_for(i + 1 == parts.size() ? use : DirectoryUse::Lookup);
    Descriptor next(again_if_interrupted([&] { return ::openat(above, part.c_str(), flags); }));
    if (!next) {
      const int code = errno == ENOTDIR && is_link(above, part.c_str()) ? ELOOP : errno;
      return os_failure(code, name);
    }
    here = std::move(next);
  }
  return here;
}

// Older seccomp profiles of containers answer EPERM for system calls that they do not know, and
// EAGAIN remains while others keep renaming: the walk gives the right answer in all three cases.
bool is_no_answer(int code) { return code == ENOSYS || code == EPERM || code == EAGAIN; }

}  // namespace

Result<Descriptor> open_directory_beneath(int root, const std::string& name, DirectoryUse use,
                                          Resolver resolver) {
  if (name.empty()) {
    Descriptor self(again_if_interrupted([&] { return ::openat(root, ".", flags_for(use)); }));
    if (!self) return os_failure(errno, ".");
    return self;
  }
  if (auto checked = check_relative_name(name); !checked) return std::unexpected(checked.error());
  if (resolver == Resolver::Kernel && !openat2_is_missing) {
    Descriptor found(open_with_kernel(root, name.c_str(), flags_for(use)));
    if (found) return found;
    const int code = errno;
    if (!is_no_answer(code)) {
      Error error = os_error(code, name);
      if (code == EXDEV) error.kind = ErrorKind::Input;  // the name tried to lead out
      return std::unexpected(std::move(error));
    }
    if (code == ENOSYS) openat2_is_missing = true;
  }
  return walk(root, name, use);
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
