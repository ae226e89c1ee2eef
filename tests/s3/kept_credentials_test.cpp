#include "agent/s3/kept_credentials.hpp"

#include <atomic>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

const WallTime kStart = std::chrono::sys_days{std::chrono::year{2026} / 3 / 1};

// Gives keys K1, K2, ... that live for `life`; fails while `broken`.
struct CountingSource final : CredentialsSource {
  Result<Credentials> fetch(WallTime now, std::stop_token stop) override {
    ++fetches;
    while (held && !stop.stop_requested()) std::this_thread::yield();
    if (stop.stop_requested()) return fail(ErrorKind::Stopped, "stopped");
    if (broken) return fail(ErrorKind::Transient, "the service is away");
    Credentials keys{"K" + std::to_string(++given), "secret", "token", {}};
    if (life > 0s) keys.expires = now + life;
    return keys;
  }
  std::atomic<int> fetches = 0;
  int given = 0;
  std::chrono::seconds life = 1h;
  std::atomic<bool> broken = false, held = false;
};

struct Kept {
  CountingSource* source = new CountingSource;
  KeptCredentials kept{CredentialsSourcePtr(source)};
  std::string at(WallTime now) {
    const auto keys = kept.get(now, {});
    return keys ? keys->access_key_id : std::string(to_string(keys.error().kind));
  }
};

}  // namespace

TEST_CASE("keys are fetched anew 15 minutes before they expire [N5]") {
  Kept k;
  CHECK(k.at(kStart) == "K1");
  CHECK(k.at(kStart + 44min) == "K1");
  CHECK(k.source->fetches == 1);
  CHECK(k.at(kStart + 45min) == "K2");
  CHECK(k.at(kStart + 46min) == "K2");
  CHECK(k.source->fetches == 2);
}

TEST_CASE("while the service is away the old keys serve as long as they hold [N5]") {
  Kept k;
  CHECK(k.at(kStart) == "K1");
  k.source->broken = true;
  CHECK(k.at(kStart + 45min) == "K1");
  CHECK(k.at(kStart + 45min + 59s) == "K1");
  CHECK(k.source->fetches == 2);
  CHECK(k.at(kStart + 46min) == "K1");
  CHECK(k.source->fetches == 3);
  CHECK(k.at(kStart + 60min) == "transient");
  k.source->broken = false;
  CHECK(k.at(kStart + 60min) == "K2");
}

TEST_CASE("keys that are due at once are not asked for more than once a minute") {
  Kept k;
  k.source->life = 10min;
  CHECK(k.at(kStart) == "K1");
  CHECK(k.at(kStart + 59s) == "K1");
  CHECK(k.at(kStart + 60s) == "K2");
}

TEST_CASE("keys without an end are looked at again after five minutes [M4]") {
  Kept k;
  k.source->life = 0s;
  CHECK(k.at(kStart) == "K1");
  CHECK(k.at(kStart + 4min) == "K1");
  CHECK(k.at(kStart + 5min) == "K2");
  k.source->broken = true;
  CHECK(k.at(kStart + 10min) == "K2");
}

TEST_CASE("keys that a server refused are fetched anew, but not again and again [N5]") {
  Kept k;
  CHECK(k.at(kStart) == "K1");
  const Credentials refused = *k.kept.get(kStart, {});
  k.kept.forget(refused, kStart + 9s);
  CHECK(k.at(kStart + 9s) == "K1");
  k.kept.forget(refused, kStart + 10s);
  CHECK(k.at(kStart + 10s) == "K2");
  // A late refusal of the keys before says nothing about these.
  k.kept.forget(refused, kStart + 30s);
  CHECK(k.at(kStart + 30s) == "K2");
}

TEST_CASE("keys from before the clock was put back are due, and may be forgotten [H4] [N5]") {
  Kept k;
  CHECK(k.at(kStart + 3h) == "K1");
  // A minute is the disorder of many callers.
  CHECK(k.at(kStart + 3h - 1min) == "K1");
  CHECK(k.at(kStart) == "K2");
  CHECK(k.at(kStart + 44min) == "K2");
  CHECK(k.at(kStart + 45min) == "K3");
  CHECK(k.source->fetches == 3);

  Kept refused;
  const Credentials keys = *refused.kept.get(kStart + 3h, {});
  refused.kept.forget(keys, kStart + 3h - 1min);
  CHECK(refused.at(kStart + 3h) == "K1");
  refused.kept.forget(keys, kStart);
  CHECK(refused.at(kStart + 3h) == "K2");

  // A service that is away is not asked more often for it.
  Kept away;
  CHECK(away.at(kStart + 3h) == "K1");
  away.source->broken = true;
  CHECK(away.at(kStart) == "K1");
  CHECK(away.at(kStart + 59s) == "K1");
  CHECK(away.source->fetches == 2);
  CHECK(away.at(kStart + 1min) == "K1");
  CHECK(away.source->fetches == 3);
}

TEST_CASE("one caller fetches; the others wait, or go on with keys that hold") {
  Kept k;
  k.source->held = true;
  {
    std::vector<std::jthread> callers;
    std::atomic<int> same = 0;
    for (int i = 0; i < 8; ++i) callers.emplace_back([&] { same += k.at(kStart) == "K1" ? 1 : 0; });
    CHECK(eventually([&] { return k.source->fetches == 1; }));
    k.source->held = false;
    callers.clear();
    CHECK(same == 8);
  }
  CHECK(k.source->fetches == 1);
  k.source->held = true;
  std::jthread slow([&] { CHECK(k.at(kStart + 50min) == "K2"); });
  CHECK(eventually([&] { return k.source->fetches == 2; }));
  CHECK(k.at(kStart + 50min) == "K1");
  k.source->held = false;
}

TEST_CASE("a stop ends the wait for keys that another caller fetches") {
  Kept k;
  k.source->held = true;
  std::jthread first([&] { (void)k.kept.get(kStart, {}); });
  CHECK(eventually([&] { return k.source->fetches == 1; }));
  std::stop_source stop;
  stop.request_stop();
  const auto keys = k.kept.get(kStart, stop.get_token());
  REQUIRE_FALSE(keys);
  CHECK(keys.error().kind == ErrorKind::Stopped);
  k.source->held = false;
}
