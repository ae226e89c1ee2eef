// Readers that stay, writers that wait, a ledger that was put back.
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "agent/ledger/sqlite.hpp"
#include "tests/ledger/ledger_support.hpp"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// Asked of the file: the entry in its folder is late on Windows while somebody writes.
std::streamoff size_of(const fs::path& file) {
  return std::ifstream(file, std::ios::binary | std::ios::ate).tellg();
}

TEST_CASE("a reader that takes too long is stopped, and the WAL shrinks when readers left [J5]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  const auto wal = scratch / "ledger.db-wal";
  const auto ledger = opened(path);
  std::vector<Candidate> files;
  for (int i = 0; i < 3000; ++i) files.push_back(candidate(std::to_string(i) + ".png"));
  REQUIRE(ledger->admit_all(files, std::span(&kWebp, 1), kNow));
  const auto hasty = *open_ledger_reader(path, 0ms);
  CHECK(hasty->waiting(10000).error().kind == ErrorKind::Environment);
  CHECK(hasty->counts_by_folder()->at("photos").waiting == 3000);

  auto slow = *sqlite::Database::open(path, sqlite::Access::Read, 1s);
  REQUIRE(slow.exec("BEGIN; SELECT count(*) FROM job"));
  // Another value each time: SQLite need not write what is there already.
  const auto write = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const std::string value(100'000, static_cast<char>('a' + i % 26));
      REQUIRE(ledger->remember("key" + std::to_string(i % 50), value));
      REQUIRE(ledger->flush());
    }
  };
  write(500);
  CHECK(size_of(wal) > 40'000'000);  // held by the reader
  REQUIRE(slow.exec("COMMIT"));
  write(250);
  CHECK(size_of(wal) < 40'000'000);
  write(1000);
  CHECK(size_of(wal) < 40'000'000);
}

TEST_CASE("an older ledger that was put back is used, and what it missed is New [J7]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  auto ledger = opened(path);
  admit(*ledger, candidate("old.png"));
  REQUIRE(deliver(*ledger, claim_one(*ledger)));
  ledger.reset();
  fs::copy_file(path, scratch / "backup.db");
  ledger = opened(path);
  admit(*ledger, candidate("new.png"));
  REQUIRE(deliver(*ledger, claim_one(*ledger)));
  ledger.reset();
  fs::rename(scratch / "backup.db", path);
  ledger = opened(path);
  CHECK(ledger->rebuilt_because().empty());
  CHECK(*ledger->look_up(candidate("old.png")) == Known::Done);
  CHECK(*ledger->look_up(candidate("new.png")) == Known::New);
  // The file in the outbox is not known as ours, so the pipeline leaves it and pays for nothing.
  CHECK_FALSE(*ledger->output_at("out", "new.webp"));
  admit(*ledger, candidate("new.png"));
  CHECK(deliver(*ledger, claim_one(*ledger)));
}

TEST_CASE("who says more than can be written waits, and nothing is lost [D2]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  const auto ledger = *open_ledger({path, kNow, 60s});
  auto other = *sqlite::Database::open(path, sqlite::Access::Write, 1s);
  REQUIRE(other.exec("BEGIN EXCLUSIVE"));
  constexpr int kFiles = 20000;
  constexpr int kMostHeld = 2 * 8192 + 1;  // in the queue, and taken from it
  std::atomic<int> said{0};
  std::jthread speaker([&] {
    for (; said < kFiles; ++said) {
      (void)ledger->admit(candidate(std::to_string(said)), std::span(&kWebp, 1), kNow);
    }
  });
  CHECK(eventually([&] { return said >= 8192; }));
  CHECK(said <= kMostHeld);
  REQUIRE(other.exec("ROLLBACK"));
  speaker.join();
  REQUIRE(ledger->flush());
  CHECK(ledger->counts()->at("photos").waiting == kFiles);
}

TEST_CASE("who began an attempt is told, also when the ledger is closed at once [J2]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  auto ledger = *open_ledger({path, kNow, 1ms});
  admit(*ledger, candidate("a.png"));
  const Job job = claim_one(*ledger);
  std::vector<Result<int>> told;
  const auto tell = [&](const Result<int>& attempt) { told.push_back(attempt); };
  auto refusal = ErrorKind::Defect;
  SECTION("and another one is refused") {
    AttemptStart nobodys = start_of(job);
    nobodys.job = job.id + 1;
    ledger->begin_attempt(nobodys, kNow, tell);
  }
  SECTION("and an earlier change was not written") {
    auto other = *sqlite::Database::open(path, sqlite::Access::Write, 1s);
    REQUIRE(other.exec("BEGIN IMMEDIATE"));
    REQUIRE(ledger->remember("lost", "1"));
    REQUIRE_FALSE(ledger->recall("lost")->has_value());
    REQUIRE(other.exec("ROLLBACK"));
    ledger->begin_attempt(start_of(job), kNow, tell);
    refusal = ErrorKind::Environment;
  }
  SECTION("and an earlier one could not be written") {
    auto other = *sqlite::Database::open(path, sqlite::Access::Write, 1s);
    REQUIRE(other.exec("BEGIN IMMEDIATE"));
    CHECK(begin_attempt(*ledger, start_of(job), kNow).error().kind == ErrorKind::Environment);
    ledger->begin_attempt(start_of(job), kNow, tell);
    REQUIRE(ledger->recall("after it"));
    REQUIRE(other.exec("ROLLBACK"));
    refusal = ErrorKind::Environment;
  }
  ledger->begin_attempt(start_of(job), kNow, tell);
  ledger.reset();
  REQUIRE(told.size() == 2);
  REQUIRE_FALSE(told[0]);
  CHECK(told[0].error().kind == refusal);
  CHECK(told[1] == 1);
  ledger = opened(path);
  CHECK(*ledger->attempts_billed_since("api", kNow) == 1);
}

}  // namespace
}  // namespace millrace::test
