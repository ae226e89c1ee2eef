#include "platform/fs/beneath_posix.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <atomic>

#include "platform/fs/os_error.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

// Atomic: found out once by whichever thread comes first; a stale answer costs one call.
std::atomic<bool> openat2_is_missing{false};

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

// Older seccomp profiles of containers answer EPERM for system calls that they do not know, and
// EAGAIN remains while others keep renaming: the walk gives the right answer in all three cases.
bool is_no_answer(int code) { return code == ENOSYS || code == EPERM || code == EAGAIN; }

}  // namespace

int directory_flags(DirectoryUse use) {
  return O_DIRECTORY | O_CLOEXEC | (use == DirectoryUse::Lookup ? O_PATH : O_RDONLY);
}

Result<Descriptor> open_directory_beneath(int root, const std::string& name, DirectoryUse use,
                                          Resolver resolver) {
  if (name.empty()) return open_directory_again(root, use);
  if (auto checked = check_relative_name(name); !checked) return std::unexpected(checked.error());
  if (resolver == Resolver::Kernel && !openat2_is_missing) {
    Descriptor found(open_with_kernel(root, name.c_str(), directory_flags(use)));
    if (found) return found;
    const int code = errno;
    if (!is_no_answer(code)) {
      Error error = os_error(code, name);
      if (code == EXDEV) error.kind = ErrorKind::Input;  // the name tried to lead out
      return std::unexpected(std::move(error));
    }
    if (code == ENOSYS) openat2_is_missing = true;
  }
  return walk_to_directory(root, name, use);
}

}  // namespace millrace
