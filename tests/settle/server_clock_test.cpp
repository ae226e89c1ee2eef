// A share whose server has another clock than we, or one that counts in whole seconds: only changes
// are believed, never times.
#include "tests/settle/settle_replay.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
// Our wall clock at ms(0).
constexpr std::int64_t kOurs = 1'790'000'000 * kSecond;

struct Server {
  std::int64_t ahead_ns = 0;    // of our clock; negative: behind
  std::int64_t granule_ns = 1;  // times are rounded down to it: FAT 2 s, ext3 and old NFS 1 s
  std::int64_t stamp(int at_ms) const {
    const std::int64_t exact = kOurs + ahead_ns + std::int64_t{at_ms} * 1'000'000;
    return exact - exact % granule_ns;
  }
};

// Bytes that are written at these times; `grows`: at the end of the file, else over the old ones.
struct Writer {
  std::vector<int> writes_ms;
  bool grows = true;
  WriterTest answer = WriterTest::Unknown;  // to the test for writers
};

class Share {
 public:
  Share(Server server, Writer writer, RootNature nature, int poll_ms)
      : server_(server), writer_(std::move(writer)), poll_ms_(poll_ms) {
    engine_.set_rules(0, {.nature = nature, .poll_every = milliseconds{poll_ms}});
  }

  // Milliseconds at which the file was handed on, each time.
  std::vector<int> handed_on_until(int end_ms) {
    std::vector<int> handed;
    for (int at = 0; at <= end_ms; at += kStepMs) {
      const Stamp stamp = stamp_at(at);
      if (at % poll_ms_ == 0 && stamp.size > 0) {
        engine_.observe({0, "a.pdf", stamp, Evidence::Found, age_of(stamp, at), false}, ms(at));
      }
      for (const ProbeRequest& probe : engine_.take_probes(ms(at))) {
        engine_.answer({.root = 0,
                        .name = probe.name,
                        .stamp = stamp,
                        .writer = writer_.answer,
                        .version = "v"},
                       ms(at));
      }
      if (!engine_.take_settled().empty()) handed.push_back(at);
    }
    return handed;
  }

 private:
  static constexpr int kStepMs = 50;

  Stamp stamp_at(int at) const {
    Stamp stamp;
    for (const int write : writer_.writes_ms) {
      if (write > at) break;
      stamp.size = writer_.grows || stamp.size == 0 ? stamp.size + 100 : stamp.size;
      stamp.mtime_ns = stamp.changed_ns = server_.stamp(write);
    }
    return stamp;
  }
  std::int64_t age_of(const Stamp& stamp, int at) const {
    return kOurs + std::int64_t{at} * 1'000'000 - stamp.changed_ns;
  }

  const Server server_;
  const Writer writer_;
  const int poll_ms_;
  SettleEngine engine_;
};

std::vector<int> every(int step_ms, int until_ms) {
  std::vector<int> times;
  for (int at = 0; at <= until_ms; at += step_ms) times.push_back(at);
  return times;
}

}  // namespace

TEST_CASE("a server's clock, hours ahead or behind or at 1970, changes nothing [C6] [A13]") {
  // Some shares answer the test for writers, and know only those of this machine.
  const auto answer = GENERATE(WriterTest::Unknown, WriterTest::None);
  const Writer writer{every(400, 8000), true, answer};
  const auto right = Share({}, writer, RootNature::Remote, 1000).handed_on_until(60'000);
  REQUIRE(right.size() == 1);
  CHECK(right[0] >= 8000 + 5000);
  const std::int64_t hour = 3600 * kSecond;
  for (const std::int64_t ahead :
       {-kOurs, -9 * hour, -hour, -11 * kSecond, hour, 9 * hour, 876'000 * hour}) {
    CAPTURE(ahead);
    Share share({.ahead_ns = ahead}, writer, RootNature::Remote, 1000);
    CHECK(share.handed_on_until(60'000) == right);
  }
}

TEST_CASE("an inbox without events trusts no clock that is ahead of ours [C6] [A13]") {
  // A local disk that another machine's clock wrote to, or one of before the clock was set.
  const Writer writer{every(400, 4000), true, WriterTest::None};
  const auto right = Share({}, writer, RootNature::LocalPolled, 500).handed_on_until(30'000);
  REQUIRE(right.size() == 1);
  CHECK(right[0] > 4000);
  Share ahead({.ahead_ns = 9 * 3600 * kSecond}, writer, RootNature::LocalPolled, 500);
  CHECK(ahead.handed_on_until(30'000) == right);
}

TEST_CASE("times in steps of two seconds hide no write of a file that is being written [C6]") {
  for (const std::int64_t granule : {kSecond, 2 * kSecond}) {
    for (const int step : {150, 700, 1500, 1950}) {
      for (const bool grows : {true, false}) {
        CAPTURE(granule, step, grows);
        const Writer writer{every(step, 20'000), grows};
        Share share({.ahead_ns = -7 * kSecond / 2, .granule_ns = granule}, writer,
                    RootNature::Remote, 500);
        const auto handed = share.handed_on_until(60'000);
        REQUIRE(handed.size() == 1);
        CHECK(handed[0] > writer.writes_ms.back());
      }
    }
  }
}
