// What the standard library of each system has to bear: every thread of ours stops in this way.
#include <atomic>
#include <stop_token>
#include <thread>

#include "tests/support/catch.hpp"

TEST_CASE("a callback of a stop may go away while it is called") {
  int stopped = 0;
  for (int i = 0; i < 500; ++i) {
    std::stop_source stop;
    std::thread woken([token = stop.get_token()] {
      std::atomic<bool> called{false};
      const std::stop_callback wake(token, [&] { called = true; });
      while (!called) std::this_thread::yield();
    });
    stop.request_stop();
    woken.join();
    ++stopped;
  }
  CHECK(stopped == 500);
}
