#include "platform/base/macos_volume.hpp"

#include <algorithm>
#include <iterator>

namespace millrace {
namespace {

using enum FileSystemNature;
using enum FileIds;

struct Row {
  std::string_view name;
  MacosVolume volume;
};

constexpr Row kRows[] = {
    {"apfs", {Local, Stable}},
    {"hfs", {Local, Stable}},
    {"udf", {Local, Stable}},
    {"cd9660", {Local, Stable}},
    {"zfs", {Local, Stable}},
    // FAT has no inodes on disk, and those of NTFS are the driver's.
    {"msdos", {Local, Unstable}},
    {"exfat", {Local, Unstable}},
    {"ntfs", {Local, Unstable}},
    {"nfs", {Network, Stable}},
    {"smbfs", {Network, Unstable}},
    {"afpfs", {Network, Unstable}},
    {"webdav", {Network, Unstable}},
    {"ftp", {Network, Unstable}},
    {"acfs", {Network, Unstable}},
    {"virtiofs", {Network, Unstable}},
    {"macfuse", {Fuse, Unstable}},
    {"osxfuse", {Fuse, Unstable}},
    {"fuse-t", {Fuse, Unstable}},
    {"lifs", {Fuse, Unstable}},
};

}  // namespace

MacosVolume macos_volume(std::string_view name, bool is_local) {
  // Drivers of macFUSE add the name of their own to it: "macfuse_sshfs".
  const std::string_view kind = name.substr(0, name.find('_'));
  const auto* row = std::ranges::find(kRows, kind, &Row::name);
  if (row != std::end(kRows)) return row->volume;
  return is_local ? MacosVolume{} : MacosVolume{Network, Unstable};
}

}  // namespace millrace
