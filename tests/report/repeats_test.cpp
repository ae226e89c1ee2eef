#include "agent/report/repeats.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "agent/report/log.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::read_file;
using test::Scratch;

constexpr Duration kMonth = 30 * 24h;

// Bytes that lines of this length cost in `span` when each comes every `every`.
std::uint64_t bytes_written(const std::vector<std::string>& lines, Duration every, Duration span) {
  Repeats repeats;
  ManualClock clock;
  const TimePoint end = clock.now() + span;
  std::uint64_t bytes = 0;
  while (clock.now() < end) {
    for (const std::string& line : lines) {
      if (repeats.pass(line, clock.now())) bytes += line.size();
    }
    clock.advance(every);
  }
  return bytes;
}

std::vector<std::string> troubles(std::size_t count) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < count; ++i) {
    lines.push_back("2026-01-01T00:00:00.000+00:00 warning trouble folder=" + std::to_string(i) +
                    std::string(150, 'x'));
  }
  return lines;
}

TEST_CASE("six months of troubles that last write less than 50 MB a month [I9]") {
  constexpr int kMonths = 6;
  // Fifty folders whose share is away, told every minute.
  const std::uint64_t bytes = bytes_written(troubles(50), 1min, kMonths * kMonth);
  INFO(bytes << " bytes");
  CHECK(bytes < kMonths * 50'000'000ULL);
  CHECK(bytes > 0);
}

TEST_CASE("the rate of a trouble does not change what its log costs [I9]") {
  const std::uint64_t slow = bytes_written(troubles(1), 1min, 24h);
  const std::uint64_t fast = bytes_written(troubles(1), 100ms, 24h);
  CHECK(fast <= 2 * slow);
  CHECK(fast <= 30 * troubles(1)[0].size());  // 1, 2, 4 ... 32 min, then hours
}

TEST_CASE("equal lines are counted, told ever more rarely, and soon again after a rest [I9]") {
  Repeats repeats;
  TimePoint now{1h};
  CHECK(repeats.pass("a", now) == 0);
  CHECK(repeats.pass("b", now) == 0);
  CHECK_FALSE(repeats.pass("a", now + 59s));
  CHECK_FALSE(repeats.pass("a", now + 59s));
  CHECK(repeats.pass("a", now + 60s) == 2);
  CHECK_FALSE(repeats.pass("a", now + 60s + 119s));
  CHECK(repeats.pass("a", now + 60s + 120s) == 1);
  now += 24h;
  CHECK(repeats.pass("a", now) == 0);
  CHECK_FALSE(repeats.pass("a", now + 59s));
  CHECK(repeats.pass("a", now + 60s) == 1);
}

TEST_CASE("a flood of lines that come once neither fills memory nor frees a repeated one [I9]") {
  Repeats repeats;
  ManualClock clock;
  int written = 0;
  for (int i = 0; i < 100'000; ++i) {
    repeats.pass("only once " + std::to_string(i), clock.now());
    if (repeats.pass("always", clock.now())) ++written;
    clock.advance(1ms);
  }
  CHECK(repeats.remembered() <= Repeats::kMostLines);
  CHECK(written == 2);  // 100 s
}

TEST_CASE("a log file is rotated by size and count, and the newest lines stay [I9]") {
  const Scratch scratch;
  const LogFile file{scratch / "millrace.log", 20'000, 3};
  REQUIRE(start_log("info", file));
  const std::string filling(200, 'f');
  for (int i = 0; i < 2000; ++i) {
    log(Level::Info, "line", {{"number", std::to_string(i)}, {"text", filling}});
  }
  REQUIRE(stop_log());
  std::uint64_t bytes = 0;
  int files = 0;
  for (const auto& entry : fs::directory_iterator(scratch.path())) {
    ++files;
    bytes += entry.file_size();
  }
  CHECK(files == 3);
  CHECK(bytes <= 3 * 20'000);
  CHECK(read_file(file.path).find("number=1999 ") != std::string::npos);
  CHECK(read_file(scratch / "millrace.2.log").find("number=") != std::string::npos);
}

TEST_CASE("a log file that cannot be made is told at the start [I9]") {
  const Scratch scratch;
  test::write_file(scratch / "file", "x");
  const auto started = start_log("info", {scratch / "file/millrace.log"});
  REQUIRE_FALSE(started);
  CHECK(started.error().kind == ErrorKind::Configuration);
}

}  // namespace
}  // namespace millrace
