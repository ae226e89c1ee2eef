#include "agent/report/latency_histogram.hpp"

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

using std::chrono::milliseconds;

double off(std::optional<Duration> told, Duration real) {
  REQUIRE(told);
  return static_cast<double>((*told - real).count()) / static_cast<double>(real.count());
}

}  // namespace

TEST_CASE("a percentile of latencies is told within 2.5 %") {
  LatencyHistogram histogram;
  CHECK_FALSE(histogram.percentile(0.95));
  for (int ms = 1; ms <= 10'000; ++ms) histogram.add(milliseconds{ms});
  for (const int share : {10, 50, 95, 99}) {
    INFO(share);
    CHECK(std::abs(off(histogram.percentile(share / 100.0), milliseconds{share * 100})) < 0.026);
  }
}

TEST_CASE("of a single latency every percentile is that one") {
  LatencyHistogram histogram;
  histogram.add(milliseconds{800});
  for (const double share : {0.0, 0.5, 1.0})
    CHECK(std::abs(off(histogram.percentile(share), milliseconds{800})) < 0.026);
}

TEST_CASE("latencies below a millisecond and above a day stand in the outermost buckets") {
  LatencyHistogram histogram;
  histogram.add(Duration{-1});
  histogram.add(std::chrono::hours{24 * 365});
  CHECK(*histogram.percentile(0.5) < milliseconds{2});
  CHECK(*histogram.percentile(1.0) > std::chrono::hours{20});
}

}  // namespace millrace
