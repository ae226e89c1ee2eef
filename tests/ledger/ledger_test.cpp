#include <atomic>
#include <thread>

#include "tests/ledger/ledger_support.hpp"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a file goes from New over Waiting to Done, and its output is remembered") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  CHECK(ledger->was_created());
  const std::string name("a\xff\n\0b.png", 9);
  CHECK(*ledger->look_up(candidate(name)) == Known::New);
  admit(*ledger, candidate(name));
  admit(*ledger, candidate(name));
  CHECK(*ledger->look_up(candidate(name)) == Known::Waiting);
  const Job job = claim_one(*ledger);
  CHECK(job.candidate.name == name);
  CHECK(ledger->claim("photos", Ledger::Lane::Fresh, 9, kNow)->empty());
  const auto summary = deliver(*ledger, job);
  REQUIRE(summary);
  CHECK(summary->delivered == 1);
  CHECK(summary->all_final());
  CHECK(ledger->pending_source_actions()->size() == 1);
  REQUIRE(ledger->record_source_action(summary->row, "kept", kNow));
  CHECK(ledger->pending_source_actions()->empty());
  const std::vector<Candidate> both{candidate(name), candidate(name, "v2")};
  CHECK(*ledger->look_up_all(both) == std::vector{Known::Done, Known::Changed});
  const auto output = ledger->output_at("out", std::string("a\xff\n\0b.webp", 10));
  REQUIRE(*output);
  CHECK((*output)->sha256 == kOutput);
  CHECK(*ledger->attempts_billed_since("api", kNow) == 1);
  CHECK(*ledger->attempts_billed_since("api", kNow + 1ms) == 0);
}

TEST_CASE("another source gets the next name, a newer version keeps its own [F5] [F6]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  admit(*ledger, candidate("a.png"));
  const Job first = claim_one(*ledger);
  REQUIRE(deliver(*ledger, first));
  admit(*ledger, candidate("a.jpg"));
  const Job second = claim_one(*ledger);
  CHECK(*reserve(*ledger, second) == "a.jpg.webp");
  admit(*ledger, candidate("a.png", "v2"));
  const Job newer = claim_one(*ledger);
  CHECK(*reserve(*ledger, newer) == "a.webp");
  CHECK_FALSE(first.has_other_versions);
  CHECK_FALSE(second.has_other_versions);
  CHECK(newer.has_other_versions);
}

TEST_CASE("a name is reserved together with the first attempt, unless it is another's [F5]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  admit(*ledger, candidate("a.png"));
  admit(*ledger, candidate("a.jpg"));
  const Job first = claim_one(*ledger);
  const Job second = claim_one(*ledger);
  AttemptStart start = start_of(first);
  start.outbox = "out";
  start.name = NameChoice{"A.webp", "a.webp"};
  REQUIRE(begin_attempt(*ledger, start, kNow));
  AttemptStart late = start_of(second);
  late.outbox = "out";
  late.name = NameChoice{"a.webp", "a.webp"};
  CHECK(begin_attempt(*ledger, late, kNow).error().kind == ErrorKind::Exists);
  CHECK(*ledger->attempts_billed_since("api", kNow) == 1);
  CHECK(*reserve(*ledger, second) == "a.jpg.webp");
  late.name.reset();
  CHECK(begin_attempt(*ledger, late, kNow) == 1);
}

TEST_CASE("a newer version cancels what waits of the older one, not what a worker has") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  admit(*ledger, candidate("taken.png"));
  const Job taken = claim_one(*ledger);
  admit(*ledger, candidate("waits.png"));
  admit(*ledger, candidate("taken.png", "v2"));
  admit(*ledger, candidate("waits.png", "v2"));
  CHECK(ledger->counts()->at("photos").cancelled == 1);
  CHECK(*ledger->look_up(candidate("waits.png", "v2")) == Known::Waiting);
  CHECK(ledger->claim("photos", Ledger::Lane::Fresh, 9, kNow)->size() == 2);
  CHECK(deliver(*ledger, taken));
}

TEST_CASE("fresh and deferred jobs are claimed apart, when they are due [D3]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  for (int i = 0; i < 3; ++i) admit(*ledger, candidate(std::to_string(i)));
  const Job job = claim_one(*ledger);
  const int attempt = *begin_attempt(*ledger, start_of(job), kNow);
  JobEnd wait;
  wait.state = JobState::Waiting;
  wait.next_attempt = kNow + 1min;
  wait.counts = wait.deferred = true;
  REQUIRE(ledger->finish(job.id, attempt, wait, kNow));
  CHECK(*ledger->next_due(kNow) == kNow + 1min);
  CHECK(ledger->claim("photos", Ledger::Lane::Deferred, 9, kNow + 59s)->empty());
  const Job again = claim_one(*ledger, kNow + 1min, Ledger::Lane::Deferred);
  CHECK(again.id == job.id);
  CHECK(again.attempts == 1);
  CHECK(again.first_tried == kNow);
  CHECK_FALSE(*ledger->next_due(kNow));
  const auto fresh = ledger->claim("photos", Ledger::Lane::Fresh, 9, kNow + 1min);
  REQUIRE(fresh->size() == 2);
  CHECK(fresh->front().id < fresh->back().id);
  ledger->release(fresh->front().id);
  CHECK(claim_one(*ledger).id == fresh->front().id);
}

TEST_CASE("what is overdue and taken by nobody hides nothing that comes due later [D3]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  for (const auto wait : {1min, 5min}) {
    admit(*ledger, candidate(std::to_string(wait.count())));
    const Job job = claim_one(*ledger);
    JobEnd end = ended(JobState::Waiting);
    end.next_attempt = kNow + wait;
    REQUIRE(ledger->finish(job.id, 0, end, kNow));
  }
  CHECK(*ledger->next_due(kNow + 2min) == kNow + 5min);
}

TEST_CASE("what a wrong clock put off for years is due once the clock is right [H1]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  const auto put_off = [&](const Name& name, std::chrono::hours wait) {
    admit(*ledger, candidate(name));
    const Job job = claim_one(*ledger);
    JobEnd end = ended(JobState::Waiting);
    end.next_attempt = kNow + wait;
    REQUIRE(ledger->finish(job.id, 0, end, kNow));
    return job.id;
  };
  put_off("tomorrow", 24h);
  CHECK(*ledger->next_due(kNow) == kNow + 24h);
  const JobId years = put_off("in years", 24h * 365 * 20);
  CHECK(*ledger->next_due(kNow) == kNow);
  CHECK(claim_one(*ledger).id == years);
  CHECK(*ledger->next_due(kNow) == kNow + 24h);
}

TEST_CASE("what waits or failed goes to the converter that its folder has now [I3]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  admit(*ledger, candidate("failed.png"));
  REQUIRE(ledger->finish(claim_one(*ledger).id, 0, ended(JobState::Failed), kNow));
  admit(*ledger, candidate("waits.png"));
  REQUIRE(ledger->set_converter("photos", "other"));
  REQUIRE(ledger->set_converter("elsewhere", "third"));
  CHECK(*ledger->retry(0, kNow) == 1);
  const auto jobs = ledger->claim("photos", Ledger::Lane::Fresh, 9, kNow);
  REQUIRE(jobs->size() == 2);
  for (const Job& job : *jobs) CHECK(job.converter == "other");
}

TEST_CASE("a version that was skipped has a result only if that was made from it [F6]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  admit(*ledger, candidate("a.png"));
  const auto made = deliver(*ledger, claim_one(*ledger));
  REQUIRE(made);
  CHECK(made->without_result == 0);
  const auto skip = [&](const std::string& version, bool same_content) {
    admit(*ledger, candidate("a.png", version));
    const Job job = claim_one(*ledger);
    const auto name = reserve(*ledger, job);
    REQUIRE(name);
    JobEnd end = ended(JobState::Skipped);
    if (same_content) end.output = output_of(job, *name);
    const auto summary = ledger->finish(job.id, 0, end, kNow);
    REQUIRE(summary);
    CHECK(summary->skipped == 1);
    return summary->without_result;
  };
  CHECK(skip("v2", false) == 1);
  CHECK(skip("v3", true) == 0);
}

TEST_CASE("transitions and attempt numbers that do not fit are refused as Defect") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  admit(*ledger, candidate("a.png"));
  const Job job = claim_one(*ledger);
  const int attempt = *begin_attempt(*ledger, start_of(job), kNow);
  JobEnd done;
  done.output = output_of(job, "a.webp");
  CHECK(ledger->finish(job.id, attempt, done, kNow).error().kind == ErrorKind::Defect);
  CHECK(ledger->finish(job.id, attempt + 1, ended(JobState::Failed), kNow).error().kind ==
        ErrorKind::Defect);
  CHECK(ledger->finish(job.id + 1, 0, ended(JobState::Failed), kNow).error().kind ==
        ErrorKind::Defect);
  REQUIRE(ledger->end_attempt(job.id, attempt + 1, {}, kNow));
  CHECK(ledger->flush().error().kind == ErrorKind::Defect);
  CHECK(ledger->flush());
  JobEnd failed = ended(JobState::Failed);
  failed.reason = "no";
  CHECK(ledger->finish(job.id, attempt, failed, kNow)->first_reason == "no");
  CHECK(*ledger->retry(0, kNow) == 1);
  CHECK(claim_one(*ledger).attempts == 0);
}

TEST_CASE("a key stays open until an attempt under it is known not to be billed [E10] [E23]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  admit(*ledger, candidate("a.png"));
  const auto try_once = [&](Billing billing, WallTime now) {
    const Job job = claim_one(*ledger, now);
    const int attempt = *begin_attempt(*ledger, start_of(job), now);
    AttemptEnd end;
    end.kind = ErrorKind::Transient;
    end.billing = billing;
    REQUIRE(ledger->end_attempt(job.id, attempt, end, now));
    REQUIRE(ledger->finish(job.id, attempt, ended(JobState::Waiting), now));
    const Job after = claim_one(*ledger, now);
    ledger->release(after.id);
    return after;
  };
  CHECK(try_once(Billing::No, kNow).open_key.empty());
  const Job open = try_once(Billing::Unknown, kNow + 1h);
  CHECK(open.open_key == kKey);
  CHECK(open.open_key_since == kNow + 1h);
  CHECK(try_once(Billing::Unknown, kNow + 2h).open_key_since == kNow + 1h);
  CHECK(try_once(Billing::No, kNow + 3h).open_key_since == kNow + 1h);
}

TEST_CASE("sixteen threads share commits and every job ends once") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  constexpr int kFiles = 400;
  std::vector<Candidate> files;
  for (int i = 0; i < kFiles; ++i) files.push_back(candidate(std::to_string(i) + ".png"));
  REQUIRE(ledger->admit_all(files, std::span(&kWebp, 1), kNow));
  std::atomic<int> delivered{0};
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < 16; ++i) {
      workers.emplace_back([&] {
        while (true) {
          const auto jobs = ledger->claim("photos", Ledger::Lane::Fresh, 3, kNow);
          if (!jobs || jobs->empty()) return;
          for (const Job& job : *jobs) delivered += deliver(*ledger, job) ? 1 : 0;
        }
      });
    }
  }
  CHECK(delivered == kFiles);
  const auto reader = open_ledger_reader(scratch / "ledger.db");
  REQUIRE(reader);
  CHECK((*reader)->counts_by_folder()->at("photos").delivered == kFiles);
  CHECK((*reader)->latency("api", kNow)->count == kFiles);
}

TEST_CASE("a failure tells the status of its last request, and a walk meets each once") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  for (const char* name : {"a.png", "b.png", "c.png"}) admit(*ledger, candidate(name));
  for (const auto& [status, at] : {std::pair(503, kNow), std::pair(422, kNow + 1h)}) {
    const auto jobs = *ledger->claim("photos", Ledger::Lane::Fresh, 2, at);
    for (const Job& job : jobs) {
      const int attempt = *begin_attempt(*ledger, start_of(job), at);
      AttemptEnd end;
      end.kind = ErrorKind::Input;
      end.http_status = status;
      REQUIRE(ledger->end_attempt(job.id, attempt, end, at + 1s));
      const auto state = status == 422 ? JobState::Failed : JobState::Waiting;
      REQUIRE(ledger->finish(job.id, attempt, ended(state), at + 2s));
    }
  }
  const Job unsent = ledger->claim("photos", Ledger::Lane::Fresh, 1, kNow + 2h)->front();
  REQUIRE(ledger->finish(unsent.id, 0, ended(JobState::Failed), kNow + 2h));
  REQUIRE(ledger->flush());
  auto reader = *open_ledger_reader(scratch / "ledger.db");
  std::vector<int> statuses;
  for (JobId last = 0;;) {
    const auto some = *reader->failures_behind(last, 2);
    if (some.empty()) break;
    for (const JobView& one : some) statuses.push_back(one.http_status);
    last = some.back().id;
  }
  CHECK(statuses == std::vector{422, 422, 0});
}

TEST_CASE("what people ask for is read while the agent writes [J5]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  admit(*ledger, candidate("a.png"));
  admit(*ledger, candidate("b.png"));
  const Job job = claim_one(*ledger);
  JobEnd failed = ended(JobState::Failed);
  failed.kind = ErrorKind::Input;
  failed.reason = "broken";
  REQUIRE(ledger->finish(job.id, 0, failed, kNow));
  REQUIRE(ledger->remember("quiet", "2s"));
  REQUIRE(ledger->flush());
  auto reader = *open_ledger_reader(scratch / "ledger.db");
  REQUIRE(reader->failures(9)->size() == 1);
  CHECK(reader->failures(9)->front().reason == "broken");
  CHECK(reader->waiting(9)->size() == 1);
  CHECK(reader->history("photos", "a.png")->size() == 1);
  CHECK(*reader->recall("quiet") == "2s");
  CHECK(*ledger->recall("quiet") == "2s");
  CHECK(*reader->possible_extra_bills() == 0);
}

TEST_CASE("jobs that may have been billed twice are told in any state, the newest first [P4]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  for (const char* name : {"a.png", "b.png", "c.png"}) admit(*ledger, candidate(name));
  const auto jobs = *ledger->claim("photos", Ledger::Lane::Fresh, 3, kNow);
  REQUIRE(jobs.size() == 3);
  for (const Job& job : jobs) {
    AttemptStart start = start_of(job);
    start.possible_extra_bill = job.candidate.name != "b.png";
    const auto attempt = begin_attempt(*ledger, start, kNow);
    REQUIRE(attempt);
    AttemptEnd end;
    end.kind = ErrorKind::Unreachable;
    end.billing = Billing::Unknown;
    REQUIRE(ledger->end_attempt(job.id, *attempt, end, kNow));
    REQUIRE(ledger->finish(job.id, *attempt, ended(JobState::Waiting), kNow));
  }
  REQUIRE(deliver(*ledger, claim_one(*ledger)));
  REQUIRE(ledger->flush());
  auto reader = *open_ledger_reader(scratch / "ledger.db");
  CHECK(*reader->possible_extra_bills() == 2);
  CHECK(reader->failures(9)->empty());
  const auto told = *reader->jobs_with_possible_extra_bills(9);
  REQUIRE(told.size() == 2);
  CHECK(told[0].candidate.name == "c.png");
  CHECK(told[0].state == "waiting");
  CHECK(told[1].candidate.name == "a.png");
  CHECK(told[1].state == "delivered");
  CHECK(told[1].possible_extra_bills == 1);
  CHECK(told[1].attempts == 2);
  CHECK(reader->jobs_with_possible_extra_bills(1)->size() == 1);
}

TEST_CASE("old versions that are no longer in the inbox are forgotten, kept ones never [J8]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  for (const char* name : {"kept.png", "gone.png", "last.png"}) {
    admit(*ledger, candidate(name));
    const auto summary = deliver(*ledger, claim_one(*ledger));
    const bool gone = summary->candidate.name == "gone.png";
    REQUIRE(ledger->record_source_action(summary->row, gone ? "archived" : "kept", kNow));
  }
  CHECK(ledger->prune(kNow, 1)->removed == 0);
  const auto pruned = ledger->prune(kNow + 24h, 1);
  CHECK(pruned->removed == 1);
  CHECK(pruned->finished);
  CHECK(*ledger->look_up(candidate("gone.png")) == Known::New);
  CHECK(*ledger->look_up(candidate("kept.png")) == Known::Done);
}

TEST_CASE("an output name stays its source's when the version is forgotten [J8]") {
  const Scratch scratch;
  const auto ledger = opened(scratch / "ledger.db");
  admit(*ledger, candidate("a.png"));
  const auto first = deliver(*ledger, claim_one(*ledger));
  REQUIRE(ledger->record_source_action(first->row, "archived", kNow));
  admit(*ledger, candidate("last.png"));
  REQUIRE(ledger->prune(kNow + 24h, 1)->removed == 1);

  CHECK((*ledger->output_at("out", "a.webp"))->source_version == "v1");
  const auto wants = [&](const std::string& source, const std::string& name) {
    admit(*ledger, candidate(source, "v2"));
    Job job = claim_one(*ledger);
    while (job.candidate.name != source) job = claim_one(*ledger);
    AttemptStart start = start_of(job);
    start.name = NameChoice{name, name};
    start.outbox = "out";
    return begin_attempt(*ledger, start, kNow);
  };
  CHECK(wants("a.tif", "a.webp").error().kind == ErrorKind::Exists);
  CHECK(wants("a.png", "a.webp"));
}

}  // namespace
}  // namespace millrace::test
