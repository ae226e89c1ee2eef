#include <cstdlib>
#include <fstream>

#include "agent/ledger/schema.hpp"
#include "tests/ledger/ledger_support.hpp"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

bool moved_aside(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("ledger.db.damaged-")) return true;
  }
  return false;
}

void fill(const fs::path& path, int files) {
  const auto ledger = opened(path);
  for (int i = 0; i < files; ++i) {
    admit(*ledger, candidate(std::to_string(i) + ".png"));
    REQUIRE(deliver(*ledger, claim_one(*ledger)));
  }
  REQUIRE(ledger->flush());
}

TEST_CASE("an attempt without an end is an open key, and three deaths end the job [D7] [G5]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  const auto copy = scratch / "crashed.db";
  auto ledger = opened(path);
  admit(*ledger, candidate("poison.png"));
  for (int death = 1; death <= 3; ++death) {
    const Job job = claim_one(*ledger);
    REQUIRE(begin_attempt(*ledger, start_of(job), kNow + death * 1h));
    CHECK(*ledger->look_up(candidate("poison.png")) == Known::Waiting);
    ledger.reset();
    ledger = opened(path, kNow);
    if (death == 3) break;
    const Job again = claim_one(*ledger);
    CHECK(again.open_key == kKey);
    CHECK(again.open_key_since == kNow + 1h);
    ledger->release(again.id);
  }
  CHECK(*ledger->look_up(candidate("poison.png")) == Known::Done);
  const auto pending = ledger->pending_source_actions();
  REQUIRE(pending->size() == 1);
  CHECK(pending->front().failed == 1);
  CHECK(*ledger->attempts_billed_since("api", kNow) == 3);
}

TEST_CASE("a delivery that was cut off is handed to recovery [G4]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  auto ledger = opened(path);
  admit(*ledger, candidate("a.png"));
  const Job job = claim_one(*ledger);
  const Name name = *reserve(*ledger, job);
  REQUIRE(begin_attempt(*ledger, start_of(job), kNow));
  REQUIRE(ledger->begin_delivery(job.id, output_of(job, name), "a.tmp", kNow));
  ledger.reset();
  ledger = opened(path);
  CHECK_FALSE(ledger->was_created());
  const auto cut = ledger->interrupted_deliveries();
  REQUIRE(cut->size() == 1);
  CHECK(cut->front().final_name == "a.webp");
  CHECK(cut->front().temporary_name == "a.tmp");
  CHECK(cut->front().sha256 == kOutput);
  CHECK_FALSE(cut->front().replaces);
  JobEnd done;
  done.output = output_of(cut->front().job, "a.webp");
  REQUIRE(ledger->finish(job.id, 0, done, kNow));
  CHECK(*ledger->output_at("out", "a.webp"));
}

TEST_CASE("a damaged, short or zeroed file is moved aside and the ledger starts anew [J3]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  fill(path, 40);
  const std::string sound = read_file(path);
  const std::string bad =
      GENERATE_COPY(std::string(sound.size(), '\0'), sound.substr(0, 5000),
                    std::string(100, '\0') + sound.substr(100),
                    std::string("not a database at all, but longer than a hundred bytes so that it "
                                "has a whole header to be looked at here"));
  write_file(path, bad);
  const auto ledger = opened(path);
  CHECK(ledger->was_created());
  CHECK_FALSE(ledger->rebuilt_because().empty());
  CHECK(moved_aside(scratch.path()));
  CHECK(*ledger->look_up(candidate("1.png")) == Known::New);
}

TEST_CASE("a flipped byte anywhere never ends the process [J3]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  fill(path, 60);
  const std::string sound = read_file(path);
  constexpr std::size_t kFlips = 100;
  for (std::size_t i = 0; i < kFlips; ++i) {
    std::string bytes = sound;
    const std::size_t at = i < 30 ? i * 4 : (i * 7919 * 31) % sound.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (i % 8)));
    write_file(path, bytes);
    fs::remove(scratch / "ledger.db-wal");
    fs::remove(scratch / "ledger.db-shm");
    fs::remove(scratch / "ledger.db.suspect");
    const auto ledger = open_ledger({path, kNow + i * 1s, 1000ms});
    INFO("byte " << at);
    REQUIRE(ledger);
    for (int n = 0; n < 60; ++n) (void)(*ledger)->look_up(candidate(std::to_string(n) + ".png"));
    (void)(*ledger)->admit(candidate("new.png"), std::span(&kWebp, 1), kNow);
    if (const auto jobs = (*ledger)->claim("photos", Ledger::Lane::Fresh, 9, kNow); jobs) {
      for (const Job& job : *jobs) (void)deliver(**ledger, job);
    }
    (void)(*ledger)->flush();
  }
}

TEST_CASE("a newer schema is refused and not touched [I6]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  fill(path, 1);
  {
    auto database = *sqlite::Database::open(path, sqlite::Access::Write, 1000ms);
    REQUIRE(
        database.exec("PRAGMA user_version=99; UPDATE memory SET value=CAST('99' AS BLOB)"
                      " WHERE key='ledger.schema'"));
  }
  const auto ledger = open_ledger({path, kNow});
  REQUIRE_FALSE(ledger);
  CHECK(ledger.error().kind == ErrorKind::Configuration);
  CHECK_FALSE(moved_aside(scratch.path()));
}

TEST_CASE("a migration is whole or not at all, and leaves a copy [I6] [G6]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  fill(path, 3);
  auto database = *sqlite::Database::open(path, sqlite::Access::Write, 1000ms);
  const int now = ledger_migrations().back().to;
  const std::vector<Migration> broken{{now + 1, "ALTER TABLE job ADD COLUMN extra INTEGER"},
                                      {now + 2, "nonsense"}};
  CHECK_FALSE(migrate(database, path, broken));
  CHECK(*database.integer("PRAGMA user_version") == now);
  CHECK_FALSE(database.integer("SELECT count(extra) FROM job"));
  REQUIRE(migrate(database, path, std::span(broken).first(1)));
  CHECK(*database.integer("PRAGMA user_version") == now + 1);
  CHECK(database.integer("SELECT count(extra) FROM job"));
  auto copy = *sqlite::Database::open(scratch / ("ledger.db.schema-" + std::to_string(now)),
                                      sqlite::Access::Read, 1000ms);
  CHECK(*copy.integer("SELECT count(*) FROM job") == 3);
  CHECK(*copy.integer("PRAGMA user_version") == now);
}

TEST_CASE("a ledger of the first schema goes on [I6]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  fill(path, 1);
  admit(*opened(path), candidate("waits.png"));
  {
    auto database = *sqlite::Database::open(path, sqlite::Access::Write, 1000ms);
    REQUIRE(
        database.exec("DROP INDEX job_kept; PRAGMA user_version=1;"
                      " UPDATE memory SET value=CAST('1' AS BLOB) WHERE key='ledger.schema'"));
  }
  const auto ledger = opened(path);
  CHECK_FALSE(ledger->was_created());
  CHECK(deliver(*ledger, claim_one(*ledger)));
}

TEST_CASE("another program that holds the file costs an error, not an attempt [J1]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  auto ledger = *open_ledger({path, kNow, 50ms});
  admit(*ledger, candidate("a.png"));
  const Job job = claim_one(*ledger);
  auto other = *sqlite::Database::open(path, sqlite::Access::Write, 1000ms);
  REQUIRE(other.exec("BEGIN EXCLUSIVE"));
  const auto attempt = begin_attempt(*ledger, start_of(job), kNow);
  REQUIRE_FALSE(attempt);
  CHECK(attempt.error().kind == ErrorKind::Environment);
  REQUIRE(ledger->admit(candidate("b.png"), std::span(&kWebp, 1), kNow));
  REQUIRE(ledger->recall("x"));
  REQUIRE(eventually([&] { return *ledger->look_up(candidate("b.png")) == Known::New; }));
  REQUIRE(other.exec("ROLLBACK"));
  CHECK(begin_attempt(*ledger, start_of(job), kNow).error().kind == ErrorKind::Environment);
  CHECK(*begin_attempt(*ledger, start_of(job), kNow) == 1);
}

TEST_CASE("a full disk changes nothing, and space makes it work again [J2]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  fill(path, 20);
  auto file = *open_ledger_file(path, 1000ms, kNow);
  const auto pages = *file.database.integer("PRAGMA page_count");
  REQUIRE(file.database.exec("PRAGMA max_page_count=" + std::to_string(pages)));
  REQUIRE(file.database.exec("BEGIN"));
  Result<void> full;
  for (int i = 0; full && i < 10000; ++i) {
    full = file.database.exec("INSERT INTO memory VALUES('" + std::to_string(i) +
                              "', zeroblob(3000))");
  }
  REQUIRE_FALSE(full);
  CHECK(full.error().kind == ErrorKind::Environment);
}

TEST_CASE("a closed ledger leaves no WAL behind [J5]") {
  const Scratch scratch;
  fill(scratch / "ledger.db", 10);
  CHECK_FALSE(fs::exists(scratch / "ledger.db-wal"));
}

}  // namespace
}  // namespace millrace::test
