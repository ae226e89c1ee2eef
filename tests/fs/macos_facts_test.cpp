// The tables of macOS, on every system.
#include "platform/fs/macos_facts.hpp"

#include <cerrno>

#include "tests/support/catch.hpp"

using namespace millrace;

TEST_CASE("the Finder's date says that it is still copying") {
  CHECK(is_busy_creation_date(443'779'200));     // 24 January 1984 08:00
  CHECK(is_busy_creation_date(-753'578'704));    // 14 February 1946 08:34:56
  CHECK(is_busy_creation_date(-2'082'844'800));  // 1 January 1904
  CHECK_FALSE(is_busy_creation_date(0));
  CHECK_FALSE(is_busy_creation_date(443'779'201));
  CHECK_FALSE(is_busy_creation_date(1'700'000'000));
}

TEST_CASE("a drive without F_FULLFSYNC is told from one that fails") {
  for (const int code : {ENOTSUP, EINVAL, ENOTTY, ENODEV}) CHECK(knows_no_full_sync(code));
  for (const int code : {EIO, ENOSPC, EBADF, EPERM}) CHECK_FALSE(knows_no_full_sync(code));
}

TEST_CASE("where the privacy settings name a folder") {
  struct Row {
    const char* folder;
    const char* area;
  };
  const Row row = GENERATE(values<Row>({
      {"/Users/ada/Desktop", "Files and Folders"},
      {"/Users/ada/Documents/In", "Files and Folders"},
      {"/Users/ada/Downloads", "Files and Folders"},
      {"/Users/ada/Library/Mobile Documents/com~apple~CloudDocs/In", "Files and Folders"},
      {"/Users/ada/Library/CloudStorage/Drive", "Files and Folders"},
      {"/Volumes/Scans/In", "Files and Folders"},
      {"/Users/ada/Pictures/Photos Library.photoslibrary/originals", "Photos"},
      {"/Users/ada/Documents2", "Full Disk Access"},
      {"/Users/bob/Documents", "Full Disk Access"},
      {"/Users/ada/Library/Mail", "Full Disk Access"},
      {"/Library/Application Support/com.apple.TCC", "Full Disk Access"},
      {"/VolumesX", "Full Disk Access"},
  }));
  CAPTURE(row.folder);
  CHECK(privacy_area(row.folder, "/Users/ada") == row.area);
}

TEST_CASE("a refusal of privacy protection says what to grant, and to which program") {
  CHECK(privacy_refusal("/Users/ada/Documents/In", "/Users/ada", "/usr/local/bin/millrace") ==
        "/Users/ada/Documents/In is there, but macOS does not let this program in: open System "
        "Settings > Privacy & Security > Files and Folders, switch it on for "
        "/usr/local/bin/millrace (Full Disk Access serves as well; add the program with + if it is "
        "not listed; started in a terminal, it is the terminal that needs it), then start Millrace "
        "again");
}

TEST_CASE("what to switch on for a protected folder, before it is used [I10]") {
  const std::string folder = "/Users/ada/Desktop/In";
  CHECK(privacy_advice(folder, privacy_area(folder, "/Users/ada"), "/usr/local/bin/millrace") ==
        "/Users/ada/Desktop/In is protected: if macOS asks, allow it, else open System Settings > "
        "Privacy & Security > Files and Folders and switch it on for /usr/local/bin/millrace");
}
