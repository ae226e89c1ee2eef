#include "agent/report/latency_histogram.hpp"

#include <algorithm>
#include <cmath>

namespace millrace {
namespace {

constexpr double kStep = 1.05;
using Milliseconds = std::chrono::duration<double, std::milli>;

}  // namespace

std::size_t LatencyHistogram::bucket_of(Duration took) {
  const double ms = std::max(Milliseconds(took).count(), 1.0);
  const double steps = std::floor(std::log(ms) / std::log(kStep));
  return std::min(static_cast<std::size_t>(steps), kBuckets - 1);
}

void LatencyHistogram::add(Duration took) {
  counts_[bucket_of(took)].fetch_add(1, std::memory_order_relaxed);
}

std::optional<Duration> LatencyHistogram::percentile(double share) const {
  std::array<std::int64_t, kBuckets> counts{};
  std::int64_t all = 0;
  for (std::size_t i = 0; i < kBuckets; ++i)
    all += counts[i] = counts_[i].load(std::memory_order_relaxed);
  if (all == 0) return std::nullopt;
  const auto rank = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil(share * static_cast<double>(all))));
  std::int64_t seen = 0;
  std::size_t i = 0;
  while ((seen += counts[i]) < rank) ++i;
  // The middle of the bucket.
  const Milliseconds middle{std::pow(kStep, static_cast<double>(i) + 0.5)};
  return std::chrono::duration_cast<Duration>(middle);
}

}  // namespace millrace
