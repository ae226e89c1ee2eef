#include <sys/mount.h>
#include <sys/param.h>

#include <cerrno>
#include <system_error>

#include "platform/base/macos_volume.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {

Result<FileSystemKind> file_system_kind(const std::filesystem::path& root) {
  struct statfs status{};
  if (::statfs(root.c_str(), &status) != 0) {
    const int code = errno;
    return fail(ErrorKind::Environment, std::generic_category().message(code), code);
  }
  FileSystemKind kind;
  kind.name = status.f_fstypename;
  kind.nature = macos_volume(kind.name, (status.f_flags & MNT_LOCAL) != 0).nature;
  if (kind.nature != FileSystemNature::Local) kind.events = ChangeEvents::Partial;
  return kind;
}

Result<FileSystemNature> nature_of(const std::filesystem::path& root) {
  auto kind = file_system_kind(root);
  if (!kind) return std::unexpected(kind.error());
  return kind->nature;
}

}  // namespace millrace
