#include "platform/host/tool_posix.hpp"

#include "platform/base/clock.hpp"
#include "tests/support/catch.hpp"

namespace millrace {
namespace {

constexpr std::chrono::seconds kLimit{30};

auto shell(const std::string& script, std::string_view input = {},
           std::chrono::seconds limit = kLimit) {
  return run_tool("/bin/sh", {"-c", script}, input, limit);
}

}  // namespace

TEST_CASE("a tool's two streams and its end are kept apart") {
  const auto end = shell("echo one; echo two >&2; printf three; exit 113");
  REQUIRE(end);
  CHECK(end->status == 113);
  CHECK(end->output == "one\nthree\n");
  CHECK(end->errors == "two\n");
}

TEST_CASE("what a tool is to keep secret goes to its input and not to its command line") {
  const auto end = shell("cat; tr '\\0' ' ' </proc/$$/cmdline >&2", "CANARY\n");
  REQUIRE(end);
  CHECK(end->output == "CANARY\n");
  CHECK(end->errors.find("CANARY") == std::string::npos);
  CHECK(end->errors.find("cat; tr") != std::string::npos);
}

TEST_CASE("a tool knows its user's home, and nothing of our environment") {
  const auto end = shell("echo ${HOME:+home}; echo ${CANARY:-none}");
  REQUIRE(end);
  CHECK(end->output == "home\nnone\n");
}

TEST_CASE("a tool that reads no further still says how it ends") {
  const auto end = shell("exec <&-; exit 5", std::string(1 << 20, 'x'));
  REQUIRE(end);
  CHECK(end->status == 5);
}

TEST_CASE("a tool that does not end is ended") {
  const TimePoint begin = std::chrono::steady_clock::now();
  const auto end = shell("sleep 600", {}, std::chrono::seconds{1});
  REQUIRE_FALSE(end);
  CHECK(end.error().kind == ErrorKind::Transient);
  CHECK(end.error().message.find("/bin/sh") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - begin < kLimit);
}

TEST_CASE("a tool that a signal ends, and one that is not there") {
  CHECK(shell("kill -9 $$").value().status == 137);
  const auto missing = run_tool("/nowhere/launchctl", {"print"}, {}, kLimit);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message.find("/nowhere/launchctl") != std::string::npos);
}

}  // namespace millrace
