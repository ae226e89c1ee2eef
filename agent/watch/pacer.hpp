// Keeps scans from eating the processor, however often somebody asks for one. Pure.
#pragma once

#include <algorithm>

#include "platform/base/clock.hpp"

namespace millrace {

// A next scan starts no sooner than `rest` times the processor time of the last one after its end.
class Pacer {
 public:
  explicit Pacer(int rest) : rest_(rest) {}

  void want(TimePoint now) {
    if (!wanted_) due_ = std::max(now, earliest_);
    wanted_ = true;
  }
  void want_now(TimePoint now) {
    due_ = now;
    wanted_ = true;
  }
  bool is_wanted() const { return wanted_; }
  bool is_due(TimePoint now) const { return wanted_ && now >= due_; }
  // Only while one is wanted.
  TimePoint due() const { return due_; }

  void begin() { wanted_ = false; }
  void end(TimePoint now, Duration cpu) {
    earliest_ = now + cpu * rest_;
    if (wanted_) due_ = std::max(due_, earliest_);
  }

 private:
  int rest_;
  bool wanted_ = false;
  TimePoint due_{};
  TimePoint earliest_{};
};

}  // namespace millrace
