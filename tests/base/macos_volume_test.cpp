#include "platform/base/macos_volume.hpp"

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

TEST_CASE("file systems of macOS by their names") {
  using enum FileSystemNature;
  using enum FileIds;
  struct Row {
    const char* name;
    bool is_local;
    FileSystemNature nature;
    FileIds ids;
  };
  const Row row = GENERATE(values<Row>({
      {"apfs", true, Local, Stable},
      {"hfs", true, Local, Stable},
      {"msdos", true, Local, Unstable},
      {"exfat", true, Local, Unstable},
      {"smbfs", false, Network, Unstable},
      {"nfs", false, Network, Stable},
      {"afpfs", false, Network, Unstable},
      {"webdav", false, Network, Unstable},
      {"macfuse", true, Fuse, Unstable},
      {"macfuse_sshfs", true, Fuse, Unstable},
      // not known: the mount says whether it is of this machine
      {"newfs", true, Local, Stable},
      {"newfs", false, Network, Unstable},
  }));
  CAPTURE(row.name, row.is_local);
  const MacosVolume found = macos_volume(row.name, row.is_local);
  CHECK(found.nature == row.nature);
  CHECK(found.ids == row.ids);
}

}  // namespace
}  // namespace millrace
