#include <windows.h>

#include "tests/ledger/ledger_support.hpp"

namespace millrace::test {

TEST_CASE("nobody removes or replaces the file beneath an open ledger [J4]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db", wal = scratch / "ledger.db-wal";
  auto ledger = opened(path);
  admit(*ledger, candidate("a.png"));
  REQUIRE(ledger->flush());
  write_file(scratch / "other", "another file");
  for (const auto& file : {path, wal}) {
    CHECK_FALSE(::DeleteFileW(file.c_str()));
    CHECK(::GetLastError() == ERROR_SHARING_VIOLATION);
    CHECK_FALSE(::MoveFileExW(file.c_str(), (scratch / "moved").c_str(), 0));
    CHECK_FALSE(
        ::MoveFileExW((scratch / "other").c_str(), file.c_str(), MOVEFILE_REPLACE_EXISTING));
  }
  CHECK(ledger->healthy());
  CHECK(*ledger->look_up(candidate("a.png")) != Known::New);
}

}  // namespace millrace::test
