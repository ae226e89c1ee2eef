#include "agent/queue/gate.hpp"

#include "tests/support/catch.hpp"

using namespace millrace;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Bench {
  Gate gate;
  TimePoint now{hours{1}};
  explicit Bench(GateRules rules = {}) : gate(rules, [] { return 0.0; }) {}

  int start_all() {
    int started = 0;
    for (; gate.open(now); ++started) gate.started(now);
    return started;
  }
  void end(std::optional<ErrorKind> kind, int retry_after = 0, GateNews news = {}) {
    const Error error{kind.value_or(ErrorKind::Defect), "why", 0, seconds{retry_after}};
    gate.finished(kind ? &error : nullptr, news, milliseconds{100}, !kind, now);
  }
  void one(std::optional<ErrorKind> kind, int retry_after = 0, GateNews news = {}) {
    gate.started(now);
    now += milliseconds{100};
    end(kind, retry_after, news);
  }
  GateState state() const { return gate.view(now).state; }
};

}  // namespace

TEST_CASE("with --workers 20 twenty requests start at once, and it is the ceiling") {
  Bench bench({.start_concurrency = 20, .only_overload_lowers = true});
  CHECK(bench.start_all() == 20);
  for (int i = 0; i < 20; ++i) bench.end({});
  CHECK(bench.start_all() == 20);
}

TEST_CASE("automatic concurrency doubles each window until overload, then adds one [E4]") {
  Bench bench;
  // One window: every answer makes room for new requests at once.
  const auto window = [&](int answers) {
    bench.now += milliseconds{100};
    for (int i = 0; i < answers; ++i) {
      bench.end({});
      bench.start_all();
    }
    return bench.gate.view(bench.now).limit;
  };
  CHECK(bench.start_all() == 4);
  CHECK(window(4) == 8);
  CHECK(window(8) == 16);
  bench.now += milliseconds{100};
  for (int i = 0; i < 3; ++i) bench.end(ErrorKind::Transient);
  bench.start_all();
  CHECK(bench.gate.view(bench.now).limit == 8);
  while (bench.gate.view(bench.now).in_flight > 8) bench.end({});
  const int before = bench.gate.view(bench.now).limit;
  CHECK(window(before) <= before + 1);
}

TEST_CASE("an unreachable converter is probed one at a time, then starts slowly [D6] [E7]") {
  Bench bench({.concurrency = 16});
  CHECK(bench.start_all() == 16);
  for (int i = 0; i < 16; ++i) bench.end(ErrorKind::Unreachable);
  CHECK(bench.state() == GateState::CircuitOpen);
  CHECK(bench.gate.opens_at(bench.now) == bench.now + seconds{1});
  for (const int wait : {1, 2, 4, 8, 16, 32, 60, 60}) {
    CHECK_FALSE(bench.gate.open(bench.now + seconds{wait} - milliseconds{1}));
    bench.now += seconds{wait};
    CHECK(bench.start_all() == 1);
    CHECK_FALSE(bench.gate.opens_at(bench.now));
    bench.end(ErrorKind::Unreachable);
  }
  bench.now += seconds{60};
  CHECK(bench.start_all() == 1);
  bench.end({});
  CHECK(bench.state() == GateState::Open);
  CHECK(bench.start_all() == 2);
}

TEST_CASE("one refusal pauses the account for as long as it says [E4]") {
  Bench bench;
  CHECK(bench.start_all() == 4);
  bench.now += milliseconds{100};
  for (int i = 0; i < 4; ++i) bench.end(ErrorKind::Rate, 30);
  CHECK(bench.state() == GateState::Paused);
  CHECK(bench.gate.opens_at(bench.now) == bench.now + seconds{30});
  CHECK(bench.gate.view(bench.now).limit == 2);
}

TEST_CASE("refusals without Retry-After pause 1 s doubling to 60 s, until a success [E4]") {
  Bench bench;
  for (const int wait : {1, 2, 4, 8, 16, 32, 60, 60}) {
    bench.one(ErrorKind::Rate);
    CHECK(*bench.gate.opens_at(bench.now) - bench.now == seconds{wait});
    bench.now = *bench.gate.opens_at(bench.now);
  }
  bench.one({});
  bench.now += hours{1};
  bench.one(ErrorKind::Rate);
  CHECK(*bench.gate.opens_at(bench.now) - bench.now == seconds{1});
}

TEST_CASE("a wrong key stops the account until a person or new settings [E2] [M4]") {
  Bench bench;
  bench.one(ErrorKind::Configuration);
  CHECK(bench.state() == GateState::Stopped);
  CHECK_FALSE(bench.gate.opens_at(bench.now));
  bench.gate.set_rules({});
  CHECK(bench.gate.open(bench.now));
  bench.one(ErrorKind::Configuration);
  bench.gate.resume(bench.now);
  CHECK(bench.gate.open(bench.now));
}

TEST_CASE("quota floor and budget are never crossed by what is in flight [E3]") {
  Bench floor({.quota_floor_share = 0.1});
  floor.one({}, 0, {.quota_remaining = 13, .quota_limit = 100});
  CHECK(floor.start_all() == 3);
  floor.end({}, 0, {.quota_remaining = 10, .quota_limit = 100});
  CHECK(floor.state() == GateState::Paused);
  floor.gate.resume(floor.now);
  CHECK(floor.gate.open(floor.now));
  // The two others of the three were under way: their answers may come in any order.
  floor.end({}, 0, {.quota_remaining = 11, .quota_limit = 100});
  floor.end({}, 0, {.quota_remaining = 12, .quota_limit = 100});
  floor.one({}, 0, {.quota_remaining = 9, .quota_limit = 100});
  CHECK(floor.gate.open(floor.now));
  SECTION("a little more is a new quota") {
    floor.one({}, 0, {.quota_remaining = 13, .quota_limit = 100});
    floor.one({}, 0, {.quota_remaining = 10, .quota_limit = 100});
    CHECK(floor.state() == GateState::Paused);
  }
  SECTION("so is a new month") {
    floor.gate.begin_month(0);
    floor.one({}, 0, {.quota_remaining = 10, .quota_limit = 100});
    CHECK(floor.state() == GateState::Paused);
  }

  Bench budget({.monthly_budget = 10});
  budget.gate.begin_month(8);
  CHECK(budget.start_all() == 2);
  budget.end({});
  budget.end(ErrorKind::Stopped);
  CHECK(budget.start_all() == 1);
  budget.end({});
  CHECK(budget.state() == GateState::Paused);
  budget.gate.begin_month(0);
  CHECK(budget.gate.open(budget.now));

  Bench quota;
  quota.one(ErrorKind::Quota);
  CHECK(quota.state() == GateState::Paused);
  CHECK_FALSE(quota.gate.opens_at(quota.now));
  quota.gate.begin_month(0);
  CHECK(quota.gate.open(quota.now));
}

TEST_CASE("new settings lift neither a pause by hand nor the quota floor [E3]") {
  Bench floor({.quota_floor_share = 0.1});
  floor.one({}, 0, {.quota_remaining = 50, .quota_limit = 100});
  floor.gate.resume(floor.now);  // not at the floor: nothing to be waived
  floor.one({}, 0, {.quota_remaining = 10, .quota_limit = 100});
  CHECK(floor.state() == GateState::Paused);
  floor.gate.renew(floor.now);
  CHECK(floor.state() == GateState::Paused);

  Bench by_hand;
  by_hand.gate.pause("by hand");
  by_hand.gate.renew(by_hand.now);
  CHECK(by_hand.state() == GateState::Paused);
  by_hand.gate.resume(by_hand.now);
  CHECK(by_hand.gate.open(by_hand.now));
}
