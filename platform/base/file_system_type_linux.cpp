#include "platform/base/file_system_type_linux.hpp"

#include <algorithm>

namespace millrace {
namespace {

using enum FileSystemNature;
using enum FileIds;

// Numbers: linux/magic.h, statfs(2), and the file systems' own sources where those lack them.
constexpr FileSystemType kTypes[] = {
    {0xEF53, "ext4", Local, Stable},
    {0x58465342, "xfs", Local, Stable},
    {0x9123683E, "btrfs", Local, Stable},
    {0x2FC12FC1, "zfs", Local, Stable},
    {0xCA451A4E, "bcachefs", Local, Stable},
    {0xF2F52010, "f2fs", Local, Stable},
    {0x01021994, "tmpfs", Local, Stable},
    {0x858458F6, "ramfs", Local, Stable},
    {0x794C7630, "overlay", Local, Stable},
    {0x7366746E, "ntfs3", Local, Stable},
    // FAT has no inodes on disk: the kernel numbers files anew when its cache forgets them.
    {0x4D44, "vfat", Local, Unstable},
    {0x2011BAB0, "exfat", Local, Unstable},
    // The number is, or is made from, what the server or the shared disk itself calls the file:
    // fileid of NFS (RFC 8881, 5.8.1.12), qid.path of 9P, FID of AFS, Coda and Lustre, inode of the
    // others.
    {0x6969, "nfs", Network, Stable},
    {0x01021997, "9p", Network, Stable},
    {0x00C36400, "ceph", Network, Stable},
    {0x5346414F, "afs", Network, Stable},
    {0x6B414653, "afs", Network, Stable},
    {0x73757245, "coda", Network, Stable},
    {0x0BD00BD0, "lustre", Network, Stable},
    {0x47504653, "gpfs", Network, Stable},
    {0x01161970, "gfs2", Network, Stable},
    {0x7461636F, "ocfs2", Network, Stable},
    // The client makes numbers up as it meets files: always, or where the server gives none.
    {0x517B, "smbfs", Network, Unstable},
    {0xFF534D42, "cifs", Network, Unstable},
    {0xFE534D42, "smb3", Network, Unstable},
    {0x564C, "ncpfs", Network, Unstable},
    {0x786F4256, "vboxsf", Network, Unstable},
    {0xBACBACBC, "vmhgfs", Network, Unstable},
    {0x65735546, "fuse", Fuse, Unstable},
};

}  // namespace

FileSystemType file_system_type(std::uint64_t number) {
  const auto* row =
      std::ranges::find(kTypes, static_cast<std::uint32_t>(number), &FileSystemType::number);
  return row == std::end(kTypes) ? FileSystemType{} : *row;
}

}  // namespace millrace
