#include "agent/download/download_window.hpp"

#include "agent/download/answer_rules.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using std::chrono::seconds;

namespace {

DownloadTask task(std::string host) {
  DownloadTask made;
  made.host = std::move(host);
  return made;
}

struct Window : DownloadWindow {
  Window() : DownloadWindow({8, 2, {}, [] { return 0.0; }}) {}
  int take(TimePoint now) {
    int taken = 0;
    while (next(now)) ++taken;
    return taken;
  }
};

const TimePoint kNow{std::chrono::hours{1}};

}  // namespace

TEST_CASE("a host has as many requests as connections, until it is known to multiplex") {
  Window window;
  for (int i = 0; i < 20; ++i) window.add(task("a:443"));
  window.add(task("b:443"));
  CHECK(window.take(kNow) == 3);
  window.set_multiplexed("a:443");
  CHECK(window.take(kNow) == 6);
  window.answered("a:443", nullptr, seconds{1}, kNow);
  CHECK(window.take(kNow) == 1);
}

TEST_CASE("what one task asks for beside its own request counts as well") {
  Window window;
  window.add(task("a:443"));
  CHECK(window.take(kNow) == 1);
  CHECK(window.take_room("a:443", kNow));
  CHECK_FALSE(window.take_room("a:443", kNow));
  window.add(task("a:443"));
  CHECK(window.take(kNow) == 0);
  window.abandoned("a:443");
  CHECK(window.take(kNow) == 1);
}

TEST_CASE("a host that asks for a pause leaves the window to the others") {
  Window window;
  for (std::size_t i = 0; i < DownloadWindow::kMostReady; ++i) window.add(task("a:443"));
  CHECK_FALSE(window.has_room());
  CHECK(window.take(kNow) == 2);
  const Error busy{ErrorKind::Rate, "slower", 0, seconds{30}};
  window.answered("a:443", &busy, seconds{1}, kNow);
  window.answered("a:443", &busy, seconds{1}, kNow);
  CHECK(window.take(kNow) == 0);
  CHECK(window.has_room());
  window.add(task("b:443"));
  CHECK(window.take(kNow) == 1);
  REQUIRE(window.next_due());
  CHECK(*window.next_due() >= kNow + seconds{30});
  CHECK(window.take(*window.next_due() - seconds{1}) == 0);
  CHECK(window.take(*window.next_due() + seconds{5}) > 0);
}

TEST_CASE("there is much room again when half of the window was taken") {
  Window window;
  for (std::size_t i = 0; i < DownloadWindow::kMostReady; ++i) window.add(task(std::to_string(i)));
  while (window.size() > DownloadWindow::kMostReady / 2) {
    CHECK_FALSE(window.has_much_room());
    REQUIRE(window.next(kNow));
  }
  CHECK(window.has_much_room());
}

TEST_CASE("what an answer means is told by its status") {
  const WallTime now{};
  const auto kind = [&](int status, Headers headers = {}) {
    HttpHead head;
    head.status = status;
    head.headers = std::move(headers);
    return error_of_answer(head, "h", now).kind;
  };
  CHECK(kind(404) == ErrorKind::Input);
  CHECK(kind(403) == ErrorKind::Input);
  CHECK(kind(429) == ErrorKind::Rate);
  CHECK(kind(503) == ErrorKind::Transient);
  CHECK(kind(503, {{"retry-after", "7"}}) == ErrorKind::Rate);
  CHECK(kind(500) == ErrorKind::Transient);
  CHECK(kind(408) == ErrorKind::Transient);
}

TEST_CASE("a Content-Range is read only if it makes sense") {
  const auto range = parse_content_range("bytes 5-9/10");
  REQUIRE(range);
  CHECK(range->first == 5);
  CHECK(range->last == 9);
  CHECK(range->total == 10);
  CHECK(parse_content_range("bytes 5-9/*"));
  for (const char* wrong : {"", "bytes */10", "bytes 9-5/10", "bytes 5-9/9", "bytes 5-9/10x",
                            "items 5-9/10", "bytes -9/10"})
    CHECK_FALSE(parse_content_range(wrong));
}

TEST_CASE("only a strong ETag or a date can resume") {
  CHECK(validator_of("\"a\"", "Mon") == "\"a\"");
  CHECK(validator_of("W/\"a\"", "Mon") == "Mon");
  CHECK(validator_of("W/\"a\"", "").empty());
}
