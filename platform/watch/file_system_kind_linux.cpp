#include "platform/watch/file_system_kind.hpp"

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace millrace {
namespace {

using enum FileSystemNature;
using enum IdStability;
using enum ChangeEvents;

struct Row {
  std::uint64_t type;
  std::string_view name;
  FileSystemNature nature;
  IdStability ids;
  ChangeEvents events;
};

// Numbers: linux/magic.h, statfs(2), and the file systems' own sources where those lack them.
constexpr Row kRows[] = {
    {0xEF53, "ext4", Local, Stable, Complete},
    {0x58465342, "xfs", Local, Stable, Complete},
    {0x9123683E, "btrfs", Local, Stable, Complete},
    {0x2FC12FC1, "zfs", Local, Stable, Complete},
    {0xCA451A4E, "bcachefs", Local, Stable, Complete},
    {0xF2F52010, "f2fs", Local, Stable, Complete},
    {0x01021994, "tmpfs", Local, Stable, Complete},
    {0x858458F6, "ramfs", Local, Stable, Complete},
    {0x794C7630, "overlay", Local, Stable, Complete},
    {0x7366746E, "ntfs3", Local, Stable, Complete},
    // FAT has no inodes on disk: the kernel numbers files anew when its cache forgets them.
    {0x4D44, "vfat", Local, Unstable, Complete},
    {0x2011BAB0, "exfat", Local, Unstable, Complete},
    {0x6969, "nfs", Network, Unstable, Partial},
    {0x517B, "smbfs", Network, Unstable, Partial},
    {0xFF534D42, "cifs", Network, Unstable, Partial},
    {0xFE534D42, "smb3", Network, Unstable, Partial},
    {0x01021997, "9p", Network, Unstable, Partial},
    {0x00C36400, "ceph", Network, Unstable, Partial},
    {0x5346414F, "afs", Network, Unstable, Partial},
    {0x6B414653, "afs", Network, Unstable, Partial},
    {0x73757245, "coda", Network, Unstable, Partial},
    {0x564C, "ncpfs", Network, Unstable, Partial},
    {0x0BD00BD0, "lustre", Network, Unstable, Partial},
    {0x47504653, "gpfs", Network, Unstable, Partial},
    {0x01161970, "gfs2", Network, Unstable, Partial},
    {0x7461636F, "ocfs2", Network, Unstable, Partial},
    {0x786F4256, "vboxsf", Network, Unstable, Partial},
    {0xBACBACBC, "vmhgfs", Network, Unstable, Partial},
    {0x65735546, "fuse", Fuse, Unstable, Partial},
};

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
  FileSystemKind kind{.name = std::string(mount_type.empty() ? "unknown" : mount_type)};
  for (const Row& row : kRows) {
    if (row.type != type) continue;
    kind = {row.nature, row.ids, row.events,
            std::string(mount_type.empty() ? row.name : mount_type)};
  }
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
  // f_type is a signed word on some systems: only its low 32 bits are the number.
  return file_system_kind_of(static_cast<std::uint32_t>(fs.f_type), mount_type_of(st.st_dev));
}

Result<FileSystemNature> nature_of(const std::filesystem::path& root) {
  auto kind = file_system_kind(root);
  if (!kind) return std::unexpected(kind.error());
  return kind->nature;
}

}  // namespace millrace
