#include "tests/queue/simulated_server.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

struct Limit {
  int most;
  double window;    // seconds
  double duration;  // of the run
};
constexpr Limit kTwelveASecond{12, 1, 3600};
constexpr Limit kTenAMinute{10, 60, 4 * 3600};

void check_all(const Limit& limit, bool configured) {
  for (const auto counting :
       {Counting::FixedWindow, Counting::SlidingWindow, Counting::TokenBucket}) {
    for (const auto tells : {Tells::Nothing, Tells::RetryAfter, Tells::Headers, Tells::Both}) {
      for (const std::uint64_t seed : {1, 2, 3}) {
        for (const double latency : {0.1, 1.5}) {
          Simulation sim{.counting = counting,
                         .most = limit.most,
                         .window = limit.window,
                         .tells = tells,
                         .latency = latency,
                         .start = 0.37 * limit.window * seed,
                         .duration = limit.duration,
                         .seed = seed};
          GateRules rules;
          if (configured) rules.rate_per_second = limit.most / limit.window;
          const Run run = Driver(sim, rules).run();
          CAPTURE(int(counting), int(tells), seed, latency, run.accepted, run.refused);
          CHECK(run.share_of(limit.most / limit.window * limit.duration) >= 0.93);
          CHECK(run.wasted() <= 0.03);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("a learnt limit of 12 a second is used to 93 % with 3 % refused at most [E4]") {
  check_all(kTwelveASecond, false);
}
TEST_CASE("a learnt limit of 10 a minute is used to 93 % with 3 % refused at most [E4]") {
  check_all(kTenAMinute, false);
}
TEST_CASE("a configured limit of 12 a second is used to 93 % with 3 % refused at most [E4]") {
  check_all(kTwelveASecond, true);
}
TEST_CASE("a configured limit of 10 a minute is used to 93 % with 3 % refused at most [E4]") {
  check_all(kTenAMinute, true);
}
TEST_CASE("a reset of one second that is told as two does not halve the pace [E4]") {
  for (const auto counting :
       {Counting::FixedWindow, Counting::SlidingWindow, Counting::TokenBucket}) {
    const Run run =
        Driver({.counting = counting, .tells = Tells::Headers, .told_too_much = 1}, {}).run();
    CAPTURE(int(counting), run.accepted, run.refused);
    CHECK(run.share_of(12 * 900) >= 0.93);
    CHECK(run.wasted() <= 0.03);
  }
}
TEST_CASE("12 a second that headers tell are reached within half a minute [E4]") {
  for (const auto counting :
       {Counting::FixedWindow, Counting::SlidingWindow, Counting::TokenBucket}) {
    const Run run = Driver({.counting = counting, .tells = Tells::Both, .duration = 30}, {}).run();
    CAPTURE(int(counting), run.accepted, run.refused);
    CHECK(run.share_of(12 * 30) >= 0.93);
    CHECK(run.wasted() <= 0.03);
  }
}
