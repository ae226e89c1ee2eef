// How long things took, in a fixed amount of memory however many there were.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "platform/base/clock.hpp"

namespace millrace {

// Thread-safe; no call blocks.
class LatencyHistogram {
 public:
  void add(Duration took);
  // The time within which `share` (0 to 1) of them ended, within 2.5 % from 1 ms to a day. Nothing
  // before the first add().
  std::optional<Duration> percentile(double share) const;

 private:
  // Each is 5 % wider than the one before; 375 of them reach from 1 ms to a day.
  static constexpr std::size_t kBuckets = 376;
  static std::size_t bucket_of(Duration took);

  // Relaxed counters: a reader may miss what is added at the same moment.
  std::array<std::atomic<std::int64_t>, kBuckets> counts_{};
};

}  // namespace millrace
