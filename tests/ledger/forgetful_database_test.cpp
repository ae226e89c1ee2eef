// The database that forgets, by itself: a power cut at any of its changes leaves a sound one with
// everything that was committed, and it does forget what was not synced.
#include "tests/ledger/forgetful_database.hpp"

#include <filesystem>

#include "agent/ledger/sqlite.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr int kRows = 12;
constexpr int kRowsBetweenCheckpoints = 4;
constexpr std::chrono::seconds kBusy{1};
constexpr std::chrono::seconds kCheckBudget{10};

// How many rows it was told are committed. Rows of some pages, so that a commit is several writes.
int write_rows(const std::filesystem::path& path, const std::string& first = "") {
  auto database = sqlite::Database::open(path, sqlite::Access::Write, kBusy);
  if (!database || !database->exec(first + "CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)"))
    return 0;
  for (int n = 1; n <= kRows; ++n) {
    const std::string row = std::to_string(n);
    if (!database->exec("INSERT INTO t VALUES(" + row + ", zeroblob(9000))")) return n - 1;
    if (n % kRowsBetweenCheckpoints == 0) database->checkpoint();
  }
  return kRows;
}

// -1: the database is not sound, or a row in the middle is missing.
std::int64_t rows_of(const std::filesystem::path& path) {
  auto database = sqlite::Database::open(path, sqlite::Access::Write, kBusy);
  if (!database || database->quick_check(kCheckBudget) != std::string()) return -1;
  if (database->integer("SELECT count(*) FROM sqlite_schema") == 0) return 0;
  const auto rows = database->integer("SELECT count(*) FROM t");
  return rows && database->integer("SELECT max(n) FROM t") == *rows ? *rows : -1;
}

}  // namespace

TEST_CASE("a power cut at any change of a database leaves it sound and complete [G3] [J3]") {
  const Unwritten way =
      GENERATE(Unwritten::Lost, Unwritten::Torn, Unwritten::Scattered, Unwritten::Kept);
  std::uint64_t n = 0;
  for (bool was_cut = true; was_cut;) {
    const Scratch scratch;
    Power power;
    ForgetfulDatabase database(power);
    power.lose_at(++n);
    const int promised = write_rows(scratch / "a.db");
    was_cut = power.is_off();
    database.cut_power(way);
    power.restore();
    const std::int64_t rows = rows_of(scratch / "a.db");
    INFO("cut at " << n << ": promised " << promised << ", there are " << rows);
    REQUIRE(rows >= promised);
    REQUIRE(rows <= promised + 1);
  }
  CHECK(n > 100);
}

TEST_CASE("what a database does not sync is forgotten (control) [G3]") {
  const Scratch scratch;
  Power power;
  ForgetfulDatabase database(power);
  SECTION("because it was told not to sync") {
    REQUIRE(write_rows(scratch / "a.db", "PRAGMA synchronous=OFF;") == kRows);
  }
  SECTION("because the disk lies") {
    database.lie_about_syncs();
    REQUIRE(write_rows(scratch / "a.db") == kRows);
  }
  database.cut_power(Unwritten::Lost);
  CHECK(rows_of(scratch / "a.db") < kRows);
}

TEST_CASE("a database that was there before is durable") {
  const Scratch scratch;
  REQUIRE(write_rows(scratch / "a.db") == kRows);
  Power power;
  ForgetfulDatabase database(power);
  CHECK(rows_of(scratch / "a.db") == kRows);
  database.cut_power(Unwritten::Lost);
  CHECK(rows_of(scratch / "a.db") == kRows);
}
