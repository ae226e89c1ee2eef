#include "agent/report/repeats.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace millrace {

std::optional<int> Repeats::pass(std::string_view line, TimePoint now) {
  const MutexLock lock(mutex_);
  make_room(now);
  const auto [at, fresh] = seen_.try_emplace(std::hash<std::string_view>{}(line), Seen{now, now});
  if (fresh) return 0;
  Seen& seen = at->second;
  const bool rested = now - std::exchange(seen.came, now) >= kLongestWait;
  if (now - seen.written < seen.wait) {
    ++seen.held_back;
    return std::nullopt;
  }
  seen.wait = rested ? kFirstWait : std::min(2 * seen.wait, kLongestWait);
  seen.written = now;
  return std::exchange(seen.held_back, 0);
}

// What would be written anyway goes first: a flood of lines that come once must not make those
// that come always look new.
void Repeats::make_room(TimePoint now) {
  if (seen_.size() < kMostLines) return;
  std::erase_if(seen_, [now](const auto& one) {
    return one.second.held_back == 0 && now - one.second.written >= one.second.wait;
  });
  if (seen_.size() < kMostLines) return;
  std::erase_if(seen_, [](const auto& one) { return one.second.held_back == 0; });
  if (seen_.size() >= kMostLines) seen_.clear();
}

std::size_t Repeats::remembered() const {
  const MutexLock lock(mutex_);
  return seen_.size();
}

}  // namespace millrace
