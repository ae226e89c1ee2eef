// Where a temporary file may have been left, and how a crash is shared by those that it met.
#include "tests/ledger/ledger_support.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

std::vector<std::string> places(Ledger& ledger) {
  std::vector<std::string> names;
  const auto found = ledger.leftover_places();
  REQUIRE(found);
  for (const OutputPlace& place : *found) names.push_back(place.outbox + ":" + place.name);
  return names;
}

}  // namespace

TEST_CASE("each directory of work that was cut off is kept until it was looked at [F12]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  auto ledger = opened(path);
  for (const char* name : {"a.png", "sub/b.png", "sub/c.png"}) {
    admit(*ledger, candidate(name));
    const Job job = claim_one(*ledger);
    REQUIRE(reserve(*ledger, job));
    REQUIRE(begin_attempt(*ledger, start_of(job), kNow));
  }
  CHECK(places(*ledger).empty());
  const std::vector<std::string> expected{"out:a.webp", "out:sub/b.webp"};
  for (int crash = 0; crash < 2; ++crash) {
    ledger.reset();
    ledger = opened(path);
    CHECK(places(*ledger) == expected);
  }
  REQUIRE(ledger->leftovers_removed("photos", "another"));
  CHECK(places(*ledger) == expected);
  REQUIRE(ledger->leftovers_removed("photos", "out"));
  ledger.reset();
  ledger = opened(path);
  CHECK(places(*ledger).empty());
}

TEST_CASE("a delivery that waits for its outbox may have left its temporary [F12]") {
  const Scratch scratch;
  auto ledger = opened(scratch / "ledger.db");
  admit(*ledger, candidate("a.png"));
  const Job job = claim_one(*ledger);
  const Name name = *reserve(*ledger, job);
  const auto attempt = begin_attempt(*ledger, start_of(job), kNow);
  REQUIRE(ledger->begin_delivery(job.id, output_of(job, name), "a.tmp", kNow));
  REQUIRE(ledger->finish(job.id, *attempt, ended(JobState::Waiting), kNow));
  CHECK(places(*ledger) == std::vector<std::string>{"out:a.webp"});
}

TEST_CASE("a result that was kept is known to the next run, until it is let go [F2]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  auto ledger = opened(path);
  for (const char* name : {"a.png", "b.png"}) {
    admit(*ledger, candidate(name));
    const Job job = claim_one(*ledger);
    const Name output = *reserve(*ledger, job);
    const auto attempt = begin_attempt(*ledger, start_of(job), kNow);
    REQUIRE(
        ledger->begin_delivery(job.id, output_of(job, output), job.candidate.name + ".tmp", kNow));
    JobEnd end = ended(JobState::Waiting);
    end.result_kept = job.candidate.name == "a.png";
    end.next_attempt = kNow + std::chrono::hours{1};
    REQUIRE(ledger->finish(job.id, *attempt, end, kNow));
  }
  // Crashes are not counted against it, however many there are.
  for (int crash = 0; crash < 8; ++crash) {
    ledger.reset();
    ledger = opened(path);
    CHECK((*ledger->counts())["photos"].converting == 1);
    CHECK((*ledger->counts())["photos"].waiting == 1);
  }
  auto found = ledger->interrupted_deliveries();
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  CHECK(found->front().temporary_name == "a.png.tmp");
  CHECK(found->front().final_name == "a.webp");
  CHECK(found->front().sha256 == kOutput);
  CHECK(found->front().size == 42);
  REQUIRE(ledger->finish(found->front().job.id, 0, ended(JobState::Waiting), kNow));
  ledger.reset();
  ledger = opened(path);
  CHECK(ledger->interrupted_deliveries()->empty());
  CHECK((*ledger->counts())["photos"].waiting == 2);
}

TEST_CASE("an older version that was kept never replaces what the newer one became [F2] [F6]") {
  const bool newer = GENERATE(false, true);
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  auto ledger = opened(path);
  admit(*ledger, candidate("a.png", "v1"));
  REQUIRE(deliver(*ledger, claim_one(*ledger)));
  admit(*ledger, candidate("a.png", "v2"));
  const Job kept = claim_one(*ledger);
  const Name output = *reserve(*ledger, kept);
  const auto attempt = begin_attempt(*ledger, start_of(kept), kNow);
  REQUIRE(ledger->begin_delivery(kept.id, output_of(kept, output), "a.tmp", kNow));
  if (newer) admit(*ledger, candidate("a.png", "v3"));
  JobEnd end = ended(JobState::Waiting);
  end.result_kept = true;
  end.next_attempt = kNow + std::chrono::hours{1};
  REQUIRE(ledger->finish(kept.id, *attempt, end, kNow));
  if (newer) REQUIRE(deliver(*ledger, claim_one(*ledger)));
  ledger.reset();
  ledger = opened(path);
  const auto found = ledger->interrupted_deliveries();
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  CHECK(found->front().replaces.has_value() == !newer);
}

TEST_CASE("three crashes in company convict nobody [D7] [G1]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  auto ledger = opened(path);
  for (const char* name : {"a.png", "b.png", "c.png"}) admit(*ledger, candidate(name));
  for (int crash = 0; crash < 8; ++crash) {
    for (int i = 0; i < 3; ++i) {
      const Job job = claim_one(*ledger);
      REQUIRE(begin_attempt(*ledger, start_of(job), kNow));
    }
    ledger.reset();
    ledger = opened(path);
  }
  CHECK(*ledger->look_up(candidate("a.png")) == Known::Waiting);
  for (int i = 0; i < 3; ++i) {
    const Job job = claim_one(*ledger);
    REQUIRE(begin_attempt(*ledger, start_of(job), kNow));
  }
  ledger.reset();
  ledger = opened(path);
  CHECK(*ledger->look_up(candidate("a.png")) == Known::Done);
}
