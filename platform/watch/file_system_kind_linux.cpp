#include "platform/watch/file_system_kind.hpp"

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include "platform/base/file_system_type_linux.hpp"

namespace millrace {
namespace {

// The mount that a path is on is the one with its device number; the last line wins, since later
// mounts cover earlier ones. Fields: proc_pid_mountinfo(5).
std::string mount_type_of(dev_t device) {
  const std::string wanted = std::to_string(major(device)) + ":" + std::to_string(minor(device));
  std::ifstream mounts("/proc/self/mountinfo");
  std::string line;
  std::string found;
  while (std::getline(mounts, line)) {
    std::istringstream fields(line);
    std::string id;
    std::string parent;
    std::string number;
    fields >> id >> parent >> number;
    const auto dash = line.find(" - ");
    if (number != wanted || dash == std::string::npos) continue;
    std::istringstream after(line.substr(dash + 3));
    after >> found;
  }
  return found;
}

}  // namespace

FileSystemKind file_system_kind_of(std::uint64_t type, std::string_view mount_type) {
  const FileSystemType known = file_system_type(type);
  FileSystemKind kind;
  kind.nature = known.nature;
  kind.name = mount_type.empty() ? known.name : mount_type;
  if (kind.nature != FileSystemNature::Local) kind.events = ChangeEvents::Partial;
  // A FUSE driver over a block device (ntfs-3g): every change comes through this kernel.
  if (mount_type == "fuseblk") kind.events = ChangeEvents::Complete;
  // virtiofs has the number of FUSE in some kernels and is a share of the host in all.
  if (mount_type == "virtiofs") kind.nature = FileSystemNature::Network;
  return kind;
}

Result<FileSystemKind> file_system_kind(const std::filesystem::path& root) {
  struct stat st{};
  struct statfs fs{};
  if (::stat(root.c_str(), &st) != 0 || ::statfs(root.c_str(), &fs) != 0) {
    const int code = errno;
    return fail(ErrorKind::Environment, std::generic_category().message(code), code);
  }
  return file_system_kind_of(static_cast<std::uint64_t>(fs.f_type), mount_type_of(st.st_dev));
}

Result<FileSystemNature> nature_of(const std::filesystem::path& root) {
  auto kind = file_system_kind(root);
  if (!kind) return std::unexpected(kind.error());
  return kind->nature;
}

}  // namespace millrace
