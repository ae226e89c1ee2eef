#include "agent/s3/server_clock.hpp"

#include "agent/transfer/answer_times.hpp"

namespace millrace {

void ServerClock::learn(std::string_view date, WallTime local) {
  const auto theirs = parse_http_date(date);
  if (!theirs) return;
  const auto apart = std::chrono::round<std::chrono::seconds>(*theirs - local);
  const auto offset = std::chrono::abs(apart) < kSmallest ? std::chrono::seconds{0} : apart;
  offset_.store(offset.count(), std::memory_order_relaxed);
}

}  // namespace millrace
