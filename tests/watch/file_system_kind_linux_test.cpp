#include "platform/watch/file_system_kind.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

using enum FileSystemNature;

TEST_CASE("what kind of file system a number stands for [C1]") {
  struct Row {
    std::uint64_t type;
    const char* mount;
    FileSystemNature nature;
    ChangeEvents events;
    const char* name;
  };
  const Row row = GENERATE(values<Row>({
      {0xEF53, "ext4", Local, ChangeEvents::Complete, "ext4"},
      {0x01021994, "tmpfs", Local, ChangeEvents::Complete, "tmpfs"},
      {0x794C7630, "overlay", Local, ChangeEvents::Complete, "overlay"},
      {0x4D44, "vfat", Local, ChangeEvents::Complete, "vfat"},
      {0x6969, "nfs4", Network, ChangeEvents::Partial, "nfs4"},
      {0x6969, "", Network, ChangeEvents::Partial, "nfs"},
      {0xFF534D42, "cifs", Network, ChangeEvents::Partial, "cifs"},
      {0xFE534D42, "smb3", Network, ChangeEvents::Partial, "smb3"},
      {0x01021997, "9p", Network, ChangeEvents::Partial, "9p"},
      {0x65735546, "fuse.sshfs", Fuse, ChangeEvents::Partial, "fuse.sshfs"},
      {0x65735546, "fuseblk", Fuse, ChangeEvents::Complete, "fuseblk"},
      {0x65735546, "virtiofs", Network, ChangeEvents::Partial, "virtiofs"},
      {0xDEADBEEF, "newfs", Local, ChangeEvents::Complete, "newfs"},
  }));
  CAPTURE(row.name);
  const FileSystemKind kind = file_system_kind_of(row.type, row.mount);
  CHECK(kind.nature == row.nature);
  CHECK(kind.events == row.events);
  CHECK(kind.name == row.name);
}

TEST_CASE("the scratch folder is local, a missing one an environment error") {
  test::Scratch scratch;
  CHECK(nature_of(scratch.path()) == Local);
  CHECK(nature_of("/proc") == Local);
  CHECK(nature_of(scratch / "no").error().kind == ErrorKind::Environment);
}

}  // namespace
}  // namespace millrace
