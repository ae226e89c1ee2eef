#include "agent/serve/idempotency_cache.hpp"

#include <filesystem>

#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace::serve {
namespace {

using Claim = IdempotencyCache::Claim;
using namespace std::chrono_literals;

ServerResponse answer(std::string body, std::shared_ptr<void> owner = nullptr) {
  ServerResponse out;
  out.body = std::move(body);
  out.keep_alive = std::move(owner);
  return out;
}

}  // namespace

TEST_CASE("a key is in flight, then replayed, and never stands for something else") {
  ManualClock clock;
  IdempotencyCache cache({1'000'000, 24h});
  CHECK(cache.begin("k", "a", clock.now()).claim == Claim::Begun);
  CHECK(cache.begin("k", "a", clock.now()).claim == Claim::InFlight);
  CHECK(cache.begin("k", "b", clock.now()).claim == Claim::Reused);
  cache.finish("k", answer("yes"), 3, clock.now());
  const auto again = cache.begin("k", "a", clock.now());
  CHECK(again.claim == Claim::Replay);
  CHECK(again.answer.body == "yes");
  CHECK(cache.begin("k", "b", clock.now()).claim == Claim::Reused);
}

TEST_CASE("an abandoned key may be tried again, and an old one is forgotten") {
  ManualClock clock;
  IdempotencyCache cache({1'000'000, 24h});
  cache.begin("k", "a", clock.now());
  cache.abandon("k");
  CHECK(cache.begin("k", "b", clock.now()).claim == Claim::Begun);
  cache.finish("k", answer("yes"), 3, clock.now());
  clock.advance(24h);
  CHECK(cache.begin("k", "b", clock.now()).claim == Claim::Replay);
  clock.advance(1s);
  CHECK(cache.begin("k", "c", clock.now()).claim == Claim::Begun);
}

TEST_CASE("an answer whose file is gone is made again") {
  ManualClock clock;
  const test::Scratch scratch;
  IdempotencyCache cache({1'000'000, 24h});
  ServerResponse kept;
  kept.body_file = scratch / "out-1";
  test::write_file(kept.body_file, "yes");
  cache.begin("k", "a", clock.now());
  cache.finish("k", kept, 3, clock.now());
  CHECK(cache.begin("k", "a", clock.now()).claim == Claim::Replay);
  std::filesystem::remove(kept.body_file);
  CHECK(cache.begin("k", "b", clock.now()).claim == Claim::Reused);
  CHECK(cache.begin("k", "a", clock.now()).claim == Claim::Begun);
  CHECK(cache.begin("k", "a", clock.now()).claim == Claim::InFlight);
  CHECK(cache.usage().answers == 0);
  CHECK(cache.usage().bytes == 0);
}

TEST_CASE("the cache stays under its bytes and lets the least used answers go") {
  ManualClock clock;
  int released = 0;
  IdempotencyCache cache({10'000, 24h});
  const auto owner = [&] {
    return std::shared_ptr<int>(new int, [&](int* p) {
      delete p;
      ++released;
    });
  };
  for (const char* key : {"1", "2", "3"}) {
    cache.begin(key, "f", clock.now());
    cache.finish(key, answer("", owner()), 2000, clock.now());
  }
  CHECK(cache.begin("1", "f", clock.now()).claim == Claim::Replay);  // now 2 is the oldest
  cache.begin("4", "f", clock.now());
  cache.finish("4", answer("", owner()), 2000, clock.now());
  CHECK(released == 1);
  CHECK(cache.usage().bytes <= 10'000);
  CHECK(cache.begin("1", "f", clock.now()).claim == Claim::Replay);
  CHECK(cache.begin("2", "f", clock.now()).claim == Claim::Begun);
  cache.finish("2", answer("", owner()), 50'000, clock.now());  // larger than the whole cache
  CHECK(cache.begin("2", "f", clock.now()).claim == Claim::Begun);
  CHECK(cache.usage().answers == 3);
}

}  // namespace millrace::serve
