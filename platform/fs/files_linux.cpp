#include <fcntl.h>
#include <signal.h>
#include <sys/vfs.h>

#include "platform/base/file_system_type_linux.hpp"
#include "platform/fs/files_posix.hpp"
#include "platform/fs/os_error.hpp"

namespace millrace {
namespace {

// False: writers on other machines or behind FUSE.
bool leases_see_all_writers(int fd) {
  struct statfs status{};
  if (::fstatfs(fd, &status) != 0) return false;
  const FileSystemType type = file_system_type(static_cast<std::uint64_t>(status.f_type));
  return type.nature == FileSystemNature::Local;
}

}  // namespace

FileIds file_ids_of(int fd) {
  struct statfs status{};
  if (::fstatfs(fd, &status) != 0) return FileIds::Unstable;
  return file_system_type(static_cast<std::uint64_t>(status.f_type)).ids;
}

std::optional<std::string> mount_type_of(int fd) {
  struct statfs status{};
  if (::fstatfs(fd, &status) != 0) return std::nullopt;
  return std::to_string(status.f_type);
}

WriterPresence writer_of(int fd) {
  if (!leases_see_all_writers(fd)) return WriterPresence::Unknown;
  // A writer that comes between the next two statements breaks the lease, and the kernel signals
  // us. The default signal, SIGIO, would end the process; SIGURG is ignored unless somebody asks
  // for it. F_SETSIG must come first.
  if (::fcntl(fd, F_SETSIG, SIGURG) != 0) return WriterPresence::Unknown;
  if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
    ::fcntl(fd, F_SETLEASE, F_UNLCK);
    return WriterPresence::None;
  }
  return errno == EAGAIN ? WriterPresence::Open : WriterPresence::Unknown;
}

bool lacks_its_bytes(const struct stat&) { return false; }

int flush_to_disk(int fd) { return ::fsync(fd); }

std::unexpected<Error> folder_refused(int os_code, const std::filesystem::path& folder) {
  return os_failure(os_code, "open " + folder.string());
}

}  // namespace millrace
