#include "platform/fs/drives.hpp"

#include <windows.h>

#include <string>

#include "platform/base/native_path.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

// A share that this person connects at each log-on, as `net use Q: \\nas\größe /persistent:yes`
// keeps it.
class KeptShare {
 public:
  KeptShare() {
    const std::wstring share = L"\\\\nas\\gr\u00f6\u00dfe";
    REQUIRE(::RegSetKeyValueW(HKEY_CURRENT_USER, L"Network\\Q", L"RemotePath", REG_SZ,
                              share.c_str(), static_cast<DWORD>((share.size() + 1) * 2)) == 0);
  }
  ~KeptShare() { ::RegDeleteTreeW(HKEY_CURRENT_USER, L"Network\\Q"); }
};

}  // namespace

TEST_CASE("a drive that a person connects is told with its share, though it is not there now") {
  CHECK_FALSE(personal_drive_of("Q:\\in"));
  const KeptShare kept;
  for (const char* path : {"Q:\\in", "Q:/in", "q:\\x\\..\\in"}) {
    INFO(path);
    const auto drive = personal_drive_of(native_path(path));
    REQUIRE(drive);
    CHECK((drive->drive == "Q:" || drive->drive == "q:"));
    CHECK(drive->instead == "\\\\nas\\gr\u00f6\u00dfe\\in");
  }
}

TEST_CASE("drives of the machine, and paths without a drive, are nobody's own") {
  const test::Scratch scratch;
  for (const auto& path : {scratch.path(), native_path("C:\\"), native_path("\\\\nas\\scans\\in"),
                           native_path("\\\\?\\C:\\in")}) {
    INFO(path_text(path));
    CHECK_FALSE(personal_drive_of(path));
  }
}

}  // namespace millrace
