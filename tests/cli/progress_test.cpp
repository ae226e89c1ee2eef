#include "agent/cli/progress.hpp"

#include "agent/cli/text_view.hpp"
#include "tests/support/catch.hpp"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Standing standing(std::int64_t delivered, std::int64_t failed, std::int64_t waiting) {
  Standing standing;
  standing.tally.delivered = delivered;
  standing.tally.failed = failed;
  standing.waiting = waiting;
  return standing;
}

}  // namespace

TEST_CASE("progress tells what is done, what failed, the rate, the time left and the latency") {
  Standing now = standing(990, 10, 4000);
  CHECK(progress_text(now, std::nullopt) == "1000 of 5000 files, 10 failed (1.0%)");
  now.p95 = milliseconds{1234};
  CHECK(progress_text(now, 5.0) ==
        "1000 of 5000 files, 10 failed (1.0%), 300 a minute, 13 min left, p95 1.2 s");
  CHECK(progress_text(standing(5, 0, 0), 0.05) == "5 of 5 files, 3.0 a minute");
}

TEST_CASE("a total that is not known yet and what was done before are told as such") {
  Standing now = standing(10, 0, 90);
  now.all_seen = false;
  now.done_before = 900;
  CHECK(progress_text(now, 1.0) == "910 of 1000+ files, 60 a minute, 90 s left");
}

TEST_CASE("a count of what waits that is older than the tally makes no total too large") {
  WholeBatch whole;
  CHECK(whole.correct(standing(10, 0, 30)).waiting == 30);
  CHECK(whole.correct(standing(13, 0, 30)).waiting == 27);
  CHECK(whole.correct(standing(41, 0, 1)).waiting == 0);
  Standing growing = standing(20, 0, 500);
  growing.all_seen = false;
  CHECK(whole.correct(growing).waiting == 500);
  CHECK(whole.correct(standing(21, 0, 500)).waiting == 500);
}

TEST_CASE("the rate is of the last minute, so that a change of pace shows") {
  RecentRate rate;
  TimePoint now{};
  std::int64_t count = 0;
  rate.note(count, now);
  rate.note(count += 5, now += milliseconds{100});
  CHECK_FALSE(rate.per_second());  // too short to tell
  while (now < TimePoint{} + minutes{10}) rate.note(count += 2, now += milliseconds{200});
  CHECK(rate.per_second().value() == Approx(10).epsilon(0.03));
  for (int i = 0; i < 600; ++i) rate.note(count += 5, now += milliseconds{200});
  CHECK(rate.per_second().value() == Approx(25).epsilon(0.03));
  rate.note(count, now += minutes{5});
  CHECK(rate.per_second().value_or(0) < 1);
}

TEST_CASE("short words for latencies and shares") {
  CHECK(latency_text(milliseconds{80}) == "80 ms");
  CHECK(latency_text(milliseconds{12345}) == "12.3 s");
  CHECK(latency_text(seconds{180}) == "3 min");
  CHECK(share_text(0.004) == "0.4%");
  CHECK(share_text(0.12) == "12%");
  CHECK(share_text(0.0999) == "10%");
}

}  // namespace millrace
