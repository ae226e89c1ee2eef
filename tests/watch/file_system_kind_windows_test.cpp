#include "platform/watch/file_system_kind_windows.hpp"

#include <windows.h>

#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

using enum FileSystemNature;

TEST_CASE("what kind of file system a drive has [C1]") {
  struct Row {
    unsigned drive;
    const char* name;
    FileSystemNature nature;
    ChangeEvents events;
    const char* shown;
  };
  const Row row = GENERATE(values<Row>({
      {DRIVE_FIXED, "NTFS", Local, ChangeEvents::Complete, "NTFS"},
      {DRIVE_FIXED, "ReFS", Local, ChangeEvents::Complete, "ReFS"},
      {DRIVE_REMOVABLE, "FAT32", Local, ChangeEvents::Complete, "FAT32"},
      {DRIVE_REMOVABLE, "exFAT", Local, ChangeEvents::Complete, "exFAT"},
      {DRIVE_REMOTE, "NTFS", Network, ChangeEvents::Partial, "share (NTFS)"},
      {DRIVE_REMOTE, "", Network, ChangeEvents::Partial, "share (unknown)"},
      {DRIVE_FIXED, "FUSE-sshfs", Fuse, ChangeEvents::Partial, "FUSE-sshfs"},
      {DRIVE_REMOTE, "DOKAN", Fuse, ChangeEvents::Partial, "DOKAN"},
      {DRIVE_UNKNOWN, "", Local, ChangeEvents::Complete, "unknown"},
  }));
  CAPTURE(row.shown);
  const FileSystemKind kind = kind_of_volume(row.drive, row.name);
  CHECK(kind.nature == row.nature);
  CHECK(kind.events == row.events);
  CHECK(kind.name == row.shown);
}

TEST_CASE("the scratch folder is local, a missing one an environment error") {
  test::Scratch scratch;
  const auto kind = file_system_kind(scratch.path());
  REQUIRE(kind);
  CHECK(kind->nature == Local);
  CHECK(kind->name == "NTFS");
  CHECK(nature_of(scratch / "no").error().kind == ErrorKind::Environment);
}

}  // namespace
}  // namespace millrace
