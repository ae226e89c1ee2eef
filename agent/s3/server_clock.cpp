#include "agent/s3/server_clock.hpp"

#include "agent/transfer/answer_times.hpp"

namespace millrace {

bool ServerClock::learn(std::string_view date, WallTime local) {
  const auto theirs = parse_http_date(date);
  if (!theirs) return false;
  const auto apart = std::chrono::round<std::chrono::seconds>(*theirs - local);
  const auto fresh = std::chrono::abs(apart) < kSmallest ? std::chrono::seconds{0} : apart;
  const std::int64_t before = offset_.exchange(fresh.count(), std::memory_order_relaxed);
  return std::chrono::abs(std::chrono::seconds{before} - fresh) >= kSmallest;
}

}  // namespace millrace
