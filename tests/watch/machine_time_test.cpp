#include "platform/watch/machine_time.hpp"

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

TEST_CASE("the machine's times go forward [B9]") {
  // The system's two clocks are read one after the other, and one of them may be coarse.
  CHECK(time_asleep() > -std::chrono::seconds{1});
  const Duration before = thread_cpu_time();
  // Some systems count in steps of 16 ms.
  volatile unsigned work = 0;
  for (unsigned i = 0; i < 100'000'000 && thread_cpu_time() == before; ++i) work = work + i;
  CHECK(thread_cpu_time() > before);
}

}  // namespace
}  // namespace millrace
