#include "agent/s3/server_clock.hpp"

#include "tests/support/catch.hpp"

using namespace millrace;
using namespace std::chrono_literals;

namespace {
const WallTime kNoon = std::chrono::sys_days{std::chrono::year{2026} / 3 / 1} + 12h;
}

TEST_CASE("the offset of a server's clock is learnt from its Date [H4]") {
  ServerClock clock;
  CHECK(clock.offset() == 0s);
  clock.learn("Sun, 01 Mar 2026 12:20:00 GMT", kNoon);
  CHECK(clock.offset() == 20min);
  CHECK(clock.differs_from(0s));
  CHECK_FALSE(clock.differs_from(20min + 59s));
  // This machine's clock was set right.
  clock.learn("Sun, 01 Mar 2026 12:20:05 GMT", kNoon + 20min + 5s);
  CHECK(clock.offset() == 0s);
  CHECK(clock.differs_from(20min));
  clock.learn("Sun, 01 Mar 2026 11:00:00 GMT", kNoon);
  CHECK(clock.offset() == -1h);
}

TEST_CASE("what a Date says within a minute is no offset, and what is no Date teaches nothing") {
  ServerClock clock;
  clock.learn("Sun, 01 Mar 2026 12:00:59 GMT", kNoon);
  CHECK(clock.offset() == 0s);
  clock.learn("Sun, 01 Mar 2026 11:59:01 GMT", kNoon);
  CHECK(clock.offset() == 0s);
  clock.learn("Sun, 01 Mar 2026 11:59:00 GMT", kNoon);
  CHECK(clock.offset() == -1min);
  clock.learn("yesterday", kNoon);
  clock.learn("", kNoon);
  CHECK(clock.offset() == -1min);
}
