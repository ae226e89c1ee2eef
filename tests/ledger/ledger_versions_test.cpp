// Which version of a name is the current one, and the counts that are kept of all of them.
#include "agent/ledger/sqlite.hpp"
#include "tests/ledger/ledger_support.hpp"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a version that comes back after another is converted again [F6]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  const auto deliver_version = [&](const std::string& version) {
    admit(*ledger, candidate("a.png", version));
    CHECK(deliver(*ledger, claim_one(*ledger)));
    CHECK(*ledger->look_up(candidate("a.png", version)) == Known::Done);
  };
  deliver_version("A");
  deliver_version("B");
  CHECK(*ledger->look_up(candidate("a.png", "A")) == Known::Changed);
  deliver_version("A");
  CHECK((*ledger->output_at("out", "a.webp"))->source_version == "A");
  CHECK(*ledger->look_up(candidate("a.png", "B")) == Known::Changed);
  deliver_version("B");
  CHECK((*ledger->output_at("out", "a.webp"))->source_version == "B");
  CHECK(ledger->counts()->at("photos").delivered == 2);
}

TEST_CASE("a version that comes back before its output was replaced is done, the other cancelled") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  admit(*ledger, candidate("a.png", "A"));
  REQUIRE(deliver(*ledger, claim_one(*ledger)));
  admit(*ledger, candidate("a.png", "B"));
  admit(*ledger, candidate("a.png", "A"));
  CHECK(*ledger->look_up(candidate("a.png", "A")) == Known::Done);
  CHECK(*ledger->look_up(candidate("a.png", "B")) == Known::Changed);
  CHECK(ledger->claim("photos", Ledger::Lane::Fresh, 9, kNow)->empty());
  CHECK(ledger->counts()->at("photos").cancelled == 1);
}

TEST_CASE("a version that was gone, or another, when it was read is converted when it is back") {
  const auto kind = GENERATE(ErrorKind::Vanished, ErrorKind::Changed);
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  for (int time = 0; time < 2; ++time) {
    admit(*ledger, candidate("a.png", "A"));
    const Job job = claim_one(*ledger);
    JobEnd gone = ended(JobState::Cancelled);
    gone.kind = kind;
    REQUIRE(ledger->finish(job.id, 0, gone, kNow));
    CHECK(*ledger->look_up(candidate("a.png", "A")) == Known::Changed);
  }
  admit(*ledger, candidate("a.png", "A"));
  REQUIRE(deliver(*ledger, claim_one(*ledger)));
  CHECK(*ledger->look_up(candidate("a.png", "A")) == Known::Done);
  CHECK(ledger->counts()->at("photos").cancelled == 0);
}

TEST_CASE("a late delivery over the current version's output sends that one to work again") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  admit(*ledger, candidate("a.png", "A"));
  REQUIRE(deliver(*ledger, claim_one(*ledger)));
  admit(*ledger, candidate("a.png", "B"));
  const Job late = claim_one(*ledger);
  admit(*ledger, candidate("a.png", "A"));
  CHECK(*ledger->look_up(candidate("a.png", "A")) == Known::Done);
  REQUIRE(deliver(*ledger, late));
  CHECK(*ledger->look_up(candidate("a.png", "A")) == Known::Waiting);
  CHECK(claim_one(*ledger).candidate.version == "A");
}

TEST_CASE("more than 256 targets are refused before anything is admitted") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  std::vector<TargetSpec> targets;
  for (int i = 0; i < 257; ++i) targets.push_back({"t" + std::to_string(i), "api"});
  const std::vector<Candidate> both{candidate("a.png"), candidate("b.png")};
  CHECK(ledger->admit(both[0], targets, kNow).error().kind == ErrorKind::Configuration);
  CHECK(ledger->admit_all(both, targets, kNow).error().kind == ErrorKind::Configuration);
  const std::vector<NewVersion> each{{both[0], {kWebp}}, {both[1], targets}};
  CHECK(ledger->admit_each(each, kNow).error().kind == ErrorKind::Configuration);
  CHECK(*ledger->look_up(both[0]) == Known::New);
  targets.pop_back();
  REQUIRE(ledger->admit_all(both, targets, kNow));
  CHECK(ledger->counts()->at("photos").waiting == 512);
  const std::vector more{TargetSpec{"one-more", "api"}};
  CHECK(ledger->admit_all(both, more, kNow).error().kind == ErrorKind::Configuration);
  CHECK(ledger->counts()->at("photos").waiting == 512);
}

TEST_CASE("the kept counts are the rows' counts, through every way of a job") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  const std::vector targets{kWebp, TargetSpec{"pdf", "api"}};
  const auto check = [&](Ledger& ledger, const char* when) {
    INFO(when);
    REQUIRE(ledger.flush());
    auto database = *sqlite::Database::open(path, sqlite::Access::Read, 1s);
    CHECK(*database.integer("SELECT count(*) FROM (SELECT folder, state, count(*) FROM job"
                            " GROUP BY folder, state EXCEPT SELECT folder, state, count"
                            " FROM folder_count)") == 0);
    CHECK(*database.integer("SELECT sum(count) FROM folder_count") ==
          *database.integer("SELECT count(*) FROM job"));
    auto reader = *open_ledger_reader(path);
    CHECK(reader->counts_by_folder()->at("photos").waiting ==
          ledger.counts()->at("photos").waiting);
  };
  auto ledger = opened(path);
  for (int i = 0; i < 6; ++i) {
    REQUIRE(ledger->admit(candidate(std::to_string(i) + ".png"), targets, kNow));
  }
  check(*ledger, "admitted");
  for (const JobState state : {JobState::Failed, JobState::Skipped, JobState::Cancelled}) {
    REQUIRE(ledger->finish(claim_one(*ledger).id, 0, ended(state), kNow));
  }
  REQUIRE(begin_attempt(*ledger, start_of(claim_one(*ledger)), kNow));
  check(*ledger, "converting");
  REQUIRE(deliver(*ledger, claim_one(*ledger)));
  const Job cut = claim_one(*ledger);
  const Name name = *reserve(*ledger, cut);
  REQUIRE(begin_attempt(*ledger, start_of(cut), kNow));
  REQUIRE(ledger->begin_delivery(cut.id, output_of(cut, name), "t", kNow));
  check(*ledger, "delivering");
  admit(*ledger, candidate("5.png", "v2"));
  check(*ledger, "superseded");
  ledger.reset();
  ledger = opened(path);
  check(*ledger, "opened again");
  CHECK(*ledger->retry(0, kNow) == 1);
  admit(*ledger, candidate("5.png"));
  check(*ledger, "came back");
  REQUIRE(ledger->prune(kNow + 24h, 1));
  check(*ledger, "pruned");
}

}  // namespace
}  // namespace millrace::test
