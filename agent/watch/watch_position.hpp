// Up to where the events of a root were handed on, and when that is to be written down. Pure.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "platform/base/clock.hpp"

namespace millrace {

// Of one root and its thread. Where its watchers give no positions, nothing is ever due.
class WatchPosition {
 public:
  // Not more often than this, however many events come.
  static constexpr Duration kEvery = std::chrono::seconds{5};

  // `kept` by an earlier run; empty for none.
  explicit WatchPosition(std::string kept) : latest_(std::move(kept)), told_(latest_) {}

  // Where the next watcher may begin; empty for nowhere.
  const std::string& latest() const { return latest_; }
  // Watcher::position(), once the events that it covers were handed on.
  void reached(std::string position) {
    if (!position.empty()) latest_ = std::move(position);
  }
  // What is to be kept now, if another position was reached since the last time. TimePoint::max()
  // for what is left at the end.
  std::optional<std::string> take_due(TimePoint now) {
    if (now < next_ || latest_ == told_) return std::nullopt;
    if (now != TimePoint::max()) next_ = now + kEvery;
    told_ = latest_;
    return latest_;
  }

 private:
  std::string latest_;
  std::string told_;
  TimePoint next_{};
};

}  // namespace millrace
