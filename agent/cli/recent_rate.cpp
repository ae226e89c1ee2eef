#include "agent/cli/recent_rate.hpp"

namespace millrace {
namespace {

constexpr Duration kApart = std::chrono::seconds{1};
constexpr double kLeastSeconds = 0.5;

}  // namespace

void RecentRate::note(std::int64_t count, TimePoint now) {
  const auto size = samples_.size();
  // The last one moves along until it is far enough from the one before.
  if (size >= 2 && samples_[size - 1].when - samples_[size - 2].when < kApart) samples_.pop_back();
  samples_.push_back({now, count});
  while (samples_.size() > 2 && now - samples_[1].when >= kWindow) samples_.pop_front();
}

std::optional<double> RecentRate::per_second() const {
  if (samples_.empty()) return std::nullopt;
  const Sample& first = samples_.front();
  const Sample& last = samples_.back();
  const double seconds = std::chrono::duration<double>(last.when - first.when).count();
  if (seconds < kLeastSeconds || last.count <= first.count) return std::nullopt;
  return static_cast<double>(last.count - first.count) / seconds;
}

}  // namespace millrace
