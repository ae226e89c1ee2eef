// Ends a child at every crash point of a script, opens the ledger again, and looks whether what
// the child was promised still holds. The child notes each promise in a file before it goes on.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>

#include "agent/ledger/schema.hpp"
#include "tests/ledger/ledger_support.hpp"

namespace millrace::test {
namespace {

void note(std::ofstream& promises, const std::string& what) { promises << what << std::endl; }

TEST_CASE("the script of the crash test", "[.crash-script]") {
  const std::filesystem::path folder = std::getenv("MILLRACE_LEDGER_FOLDER");
  std::ofstream promises(folder / "promises", std::ios::app);
  const auto ledger = opened(folder / "ledger.db");
  for (int i = 0; i < 3; ++i) {
    const std::string file = std::to_string(i) + ".png";
    admit(*ledger, candidate(file));
    REQUIRE(ledger->flush());
    note(promises, "admitted " + file);
    const Job job = claim_one(*ledger);
    const Name name = *reserve(*ledger, job);
    const int attempt = *begin_attempt(*ledger, start_of(job), kNow);
    note(promises, "begun " + file);
    REQUIRE(ledger->end_attempt(job.id, attempt, {}, kNow));
    REQUIRE(ledger->begin_delivery(job.id, output_of(job, name), name + ".tmp", kNow));
    note(promises, "delivering " + file);
    JobEnd done;
    done.output = output_of(job, name);
    REQUIRE(ledger->finish(job.id, attempt, done, kNow));
    note(promises, "delivered " + file);
  }
}

std::set<std::string> promises_in(const std::filesystem::path& folder) {
  std::set<std::string> all;
  std::ifstream in(folder / "promises");
  for (std::string line; std::getline(in, line);) all.insert(line);
  return all;
}

void check_promises(const std::filesystem::path& folder) {
  const auto promised = promises_in(folder);
  const auto ledger = opened(folder / "ledger.db");
  CHECK(ledger->rebuilt_because().empty());
  std::set<std::string> interrupted;
  const auto cuts = ledger->interrupted_deliveries();
  REQUIRE(cuts);
  for (const auto& cut : *cuts) {
    interrupted.insert(cut.job.candidate.name);
  }

  for (int i = 0; i < 3; ++i) {
    const std::string file = std::to_string(i) + ".png";
    INFO(file);
    const Known known = *ledger->look_up(candidate(file));
    if (promised.contains("admitted " + file)) CHECK(known != Known::New);
    if (promised.contains("delivered " + file)) {
      CHECK(known == Known::Done);
      CHECK(*ledger->output_at("out", std::to_string(i) + ".webp"));
    } else if (promised.contains("delivering " + file)) {
      CHECK((known == Known::Done || interrupted.contains(file)));
    }
    // Nothing is Done without its output.
    if (known == Known::Done) CHECK(*ledger->output_at("out", std::to_string(i) + ".webp"));
  }
  // A request may have gone out only after "begun": its attempt is in the file by then.
  std::int64_t begun = 0;
  for (int i = 0; i < 3; ++i) begun += promised.contains("begun " + std::to_string(i) + ".png");
  auto reader = *open_ledger_reader(folder / "ledger.db");
  CHECK(*reader->attempts_since("api", kNow) >= begun);
}

TEST_CASE("a death at any step of the ledger breaks no promise [G2] [G5]") {
  constexpr int kMostPoints = 200;
  bool unharmed = false;
  int point = 0;
  while (!unharmed && ++point < kMostPoints) {
    const Scratch scratch;
    const std::string command = "MILLRACE_DIE_AT=" + std::to_string(point) +
                                " MILLRACE_LEDGER_FOLDER=" + scratch.path().string() + " '" +
                                MILLRACE_LEDGER_TEST + "' '[.crash-script]' > /dev/null 2>&1";
    unharmed = std::system(command.c_str()) == 0;
    INFO("crash point " << point);
    check_promises(scratch.path());
  }
  CHECK(unharmed);
  CHECK(point > 20);
}

// -- the file itself: migration, and moving a damaged one aside [G6] ------------------------------

const int kNewest = ledger_migrations().back().to;
const std::vector<Migration> kLater{
    {kNewest + 1, "ALTER TABLE job ADD COLUMN extra INTEGER NOT NULL DEFAULT 7"},
    {kNewest + 2, "CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT"}};

TEST_CASE("the script of the crash test of migrations", "[.crash-migration]") {
  const std::filesystem::path path =
      std::getenv("MILLRACE_LEDGER_FOLDER") + std::string("/ledger.db");
  auto database = *sqlite::Database::open(path, sqlite::Access::Write, std::chrono::seconds{1});
  REQUIRE(migrate(database, path, kLater));
}

TEST_CASE("the script of the crash test of a damaged file", "[.crash-aside]") {
  const std::filesystem::path path =
      std::getenv("MILLRACE_LEDGER_FOLDER") + std::string("/ledger.db");
  REQUIRE(open_ledger({path, kNow}));
}

// False once the script ran to its end.
bool dies_at(int point, const std::filesystem::path& folder, const std::string& script) {
  const std::string command = "MILLRACE_DIE_AT=" + std::to_string(point) +
                              " MILLRACE_LEDGER_FOLDER=" + folder.string() + " '" +
                              MILLRACE_LEDGER_TEST + "' '[." + script + "]' > /dev/null 2>&1";
  return std::system(command.c_str()) != 0;
}

TEST_CASE("a death in a migration leaves the old schema or the new one [G6] [I6]") {
  int point = 0;
  bool died = true;
  while (died && ++point < 50) {
    const Scratch scratch;
    const auto path = scratch / "ledger.db";
    for (int i = 0; i < 3; ++i) admit(*opened(path), candidate(std::to_string(i) + ".png"));
    died = dies_at(point, scratch.path(), "crash-migration");
    INFO("crash point " << point);
    auto database = *sqlite::Database::open(path, sqlite::Access::Write, std::chrono::seconds{1});
    const auto version = *database.integer("PRAGMA user_version");
    const bool newer = version == kNewest + 2;
    CHECK((newer || version == kNewest));
    CHECK(newer == database.integer("SELECT sum(extra) FROM job").has_value());
    CHECK(newer == database.integer("SELECT count(*) FROM later").has_value());
    CHECK(*database.integer("SELECT count(*) FROM job") == 3);
    CHECK(migrate(database, path, kLater));
    CHECK(*database.integer("SELECT sum(extra) FROM job") == 21);
  }
  CHECK_FALSE(died);
  CHECK(point > 3);
}

TEST_CASE(
    "a death while a damaged file is moved aside loses neither the old nor the new [G6] [J3]") {
  int point = 0;
  bool died = true;
  while (died && ++point < 50) {
    const Scratch scratch;
    const auto path = scratch / "ledger.db";
    {
      admit(*opened(path), candidate("a.png"));
    }
    std::string bytes = read_file(path);
    std::fill(bytes.begin(), bytes.begin() + 3000, '\0');
    write_file(path, bytes);
    write_file(scratch / "ledger.db-wal", "the tail of a damaged ledger");
    died = dies_at(point, scratch.path(), "crash-aside");
    INFO("crash point " << point);
    const auto ledger = opened(path);
    CHECK(*ledger->look_up(candidate("a.png")) == Known::New);
    admit(*ledger, candidate("b.png"));
    CHECK(deliver(*ledger, claim_one(*ledger)));
    bool kept = false;
    for (const auto& entry : std::filesystem::directory_iterator(scratch.path())) {
      kept = kept || (entry.path().filename().string().starts_with("ledger.db.damaged-") &&
                      read_file(entry.path()) == bytes);
    }
    CHECK(kept);
  }
  CHECK_FALSE(died);
  CHECK(point > 2);
}

}  // namespace
}  // namespace millrace::test
