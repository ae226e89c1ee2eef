#include "agent/queue/fair_queue.hpp"
#include "agent/queue/retry_policy.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

Job job(JobId id, const std::string& folder, bool deferred = false,
        const std::string& converter = "c") {
  Job made;
  made.id = id;
  made.candidate.folder = folder;
  made.deferred = deferred;
  made.converter = converter;
  return made;
}
bool any(const Job&) { return true; }
double half() { return 0.5; }

Decision after(ErrorKind kind, int attempts = 1, Duration age = {}, int retry_after = 0) {
  return decide({}, Error{kind, "", 0, seconds{retry_after}}, attempts, age, half);
}

}  // namespace

TEST_CASE("folders take turns, and within one fresh and deferred jobs do [D3]") {
  FairQueue queue;
  for (JobId id = 0; id < 100; ++id) queue.push(job(id, "big"));
  for (JobId id = 100; id < 200; ++id) queue.push(job(id, "big", true));
  queue.push(job(200, "small"));
  queue.push(job(201, "small"));
  std::vector<JobId> order;
  for (int i = 0; i < 6; ++i) order.push_back(queue.next(any)->id);
  CHECK(order == std::vector<JobId>{0, 200, 100, 201, 1, 101});
  CHECK(queue.room("big", false) == 256 - 98);
  CHECK(queue.room("big", true) == 256 - 98);
  CHECK(queue.size() == 196);
  queue.block("big");
  CHECK_FALSE(queue.next(any));
  queue.unblock("big");
  CHECK(queue.take_all("big").size() == 196);
  CHECK(queue.size() == 0);
}

TEST_CASE("a folder that is refused holds back no other folder of the same converter [C2] [P7]") {
  FairQueue queue;
  for (JobId id = 0; id < 10; ++id) queue.push(job(id, "hung", false, "shared"));
  queue.push(job(10, "well", false, "shared"));
  int asked = 0;
  const auto admits = [&](const Job& offered) {
    ++asked;
    return offered.candidate.folder == "well" ? Admission::Take : Admission::SkipFolder;
  };
  CHECK(queue.next(admits)->id == 10);
  CHECK_FALSE(queue.next(admits));
  CHECK(asked == 3);
}

TEST_CASE("a refused job blocks neither other converters nor the jobs behind it [P7]") {
  FairQueue queue;
  for (JobId id = 0; id < 1000; ++id) queue.push(job(id, "f", false, "closed"));
  queue.push(job(1000, "f", false, "open"));
  int asked = 0;
  const auto admits = [&](const Job& offered) {
    ++asked;
    return offered.converter == "open" ? Admission::Take : Admission::SkipConverter;
  };
  CHECK(queue.next(admits)->id == 1000);
  CHECK_FALSE(queue.next(admits));
  CHECK(asked == 3);
  // Job 500 is reached although all before it are busy, a few looks at a time.
  std::optional<Job> found;
  for (int pick = 0; pick < 100 && !found; ++pick) {
    asked = 0;
    found = queue.next([&](const Job& offered) { return ++asked, offered.id == 500; });
    CHECK(asked <= static_cast<int>(FairQueue::kMostLooks));
  }
  REQUIRE(found);
  CHECK(queue.next(any)->id == 0);
}

TEST_CASE("every kind of error has its next step [E1] [E5] [E7]") {
  using enum ErrorKind;
  for (const auto kind : {Input, Converter, Defect, Exists}) {
    CHECK(after(kind).step == NextStep::Fail);
  }
  for (const auto kind : {Configuration, Quota, Unreachable, Environment, Rate, Busy, Stopped}) {
    CHECK(after(kind, 50, hours{24 * 30}).step == NextStep::Wait);
  }
  CHECK(after(Changed).step == NextStep::SettleAnew);
  CHECK(after(Vanished).step == NextStep::Cancel);
  CHECK(after(Busy).delay > seconds{0});
  CHECK(after(Busy, 1, {}, 30).delay == seconds{30});
}

TEST_CASE("transient errors are retried quickly, then deferred, then given up by age [E5]") {
  struct Row {
    int attempts;
    double seconds;
    bool deferred;
  };
  for (const Row& row : {Row{1, 0.5, false}, Row{2, 1, false}, Row{3, 2, false}, Row{4, 67.5, true},
                         Row{5, 135, true}, Row{50, 4050, true}}) {
    const Decision decision = after(ErrorKind::Transient, row.attempts, hours{1});
    CHECK(decision.step == NextStep::Retry);
    CHECK(decision.deferred == row.deferred);
    CHECK(std::chrono::duration<double>(decision.delay).count() == Approx(row.seconds));
  }
  CHECK(after(ErrorKind::Transient, 1, {}, 20).delay == seconds{20});
  CHECK(after(ErrorKind::Transient, 2, {}, 1'000'000).delay == hours{24});
}

TEST_CASE("a file is given up after five days and many tries, whatever a clock says [H1]") {
  const auto step = [](int attempts, Duration age) {
    return after(ErrorKind::Transient, attempts, age).step;
  };
  CHECK(step(20, hours{24 * 5}) == NextStep::Retry);
  CHECK(step(20, hours{24 * 5 + 1}) == NextStep::Fail);
  CHECK(step(19, hours{24 * 365 * 56}) == NextStep::Retry);
  CHECK(step(1000, -hours{24 * 365}) == NextStep::Retry);
}
