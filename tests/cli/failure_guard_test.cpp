#include "agent/cli/failure_guard.hpp"

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

bool trips(const std::string& guard, std::int64_t delivered, std::int64_t failed,
           std::int64_t skipped = 0) {
  Tally tally;
  tally.delivered = delivered;
  tally.failed = failed;
  tally.skipped = skipped;
  return FailureGuard::parse(guard).value().tripped(tally);
}

}  // namespace

TEST_CASE("a number of failures is exceeded by one more, at once") {
  CHECK_FALSE(trips("3", 0, 3));
  CHECK(trips("3", 0, 4));
  CHECK(trips("0", 900, 1));
  CHECK_FALSE(trips("", 0, 900));
}

TEST_CASE("a share of failures is judged after enough files and not before") {
  CHECK_FALSE(trips("2%", 0, 49));
  CHECK(trips("2%", 0, 50));
  CHECK_FALSE(trips("2%", 98, 2));
  CHECK(trips("2%", 97, 3));
}

TEST_CASE("what was skipped does not thin out the share of failures") {
  CHECK(trips("2%", 40, 10, 1'000'000));
  CHECK_FALSE(trips("2%", 40, 9, 1'000'000));  // 49 were tried
}

TEST_CASE("a guard that is no number and no share is refused") {
  for (const char* text : {"few", "-1", "2 percent", "101%", "3x", "%"}) {
    INFO(text);
    CHECK_FALSE(FailureGuard::parse(text));
  }
}

}  // namespace millrace
