#include <fcntl.h>
#include <sys/mount.h>
#include <sys/param.h>

#include <cerrno>
#include <cstdlib>

#include "platform/base/macos_volume.hpp"
#include "platform/base/own_program_macos.hpp"
#include "platform/fs/files_posix.hpp"
#include "platform/fs/macos_facts.hpp"
#include "platform/fs/os_error.hpp"

namespace millrace {
namespace {

const char* home_folder() {
  const char* home = std::getenv("HOME");
  return home != nullptr ? home : "/";
}

}  // namespace

FileIds file_ids_of(int fd) {
  struct statfs status{};
  if (::fstatfs(fd, &status) != 0) return FileIds::Unstable;
  return macos_volume(status.f_fstypename, (status.f_flags & MNT_LOCAL) != 0).ids;
}

std::optional<std::string> mount_type_of(int fd) {
  struct statfs status{};
  if (::fstatfs(fd, &status) != 0) return std::nullopt;
  return std::string(status.f_fstypename);
}

// There are no leases here; only the Finder says that it is still copying.
WriterPresence writer_of(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return WriterPresence::Unknown;
  return is_busy_creation_date(status.st_birthtimespec.tv_sec) ? WriterPresence::Open
                                                               : WriterPresence::Unknown;
}

bool lacks_its_bytes(const struct stat& status) { return (status.st_flags & SF_DATALESS) != 0; }

// fsync(2) of macOS leaves the bytes in the drive's own memory. Shares and some drives know no
// F_FULLFSYNC; what they can promise fsync asks of them.
int flush_to_disk(int fd) {
  if (::fcntl(fd, F_FULLFSYNC) == 0) return 0;
  return knows_no_full_sync(errno) ? ::fsync(fd) : -1;
}

std::unexpected<Error> folder_refused(int os_code, const std::filesystem::path& folder) {
  Error error = os_error(os_code, "open " + folder.string());
  if (os_code == EPERM)
    error.message = privacy_refusal(folder.string(), home_folder(), own_program().string());
  return std::unexpected(std::move(error));
}

}  // namespace millrace
