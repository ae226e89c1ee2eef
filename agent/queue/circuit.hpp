// Opens when the other side cannot be reached; then one probe at a time, ever more rarely. Pure.
#pragma once

#include <algorithm>
#include <chrono>

#include "platform/base/clock.hpp"

namespace millrace {

class Circuit {
 public:
  static constexpr int kFailuresToOpen = 3;  // in a row, or one if nothing else is in flight
  static constexpr Duration kFirstWait = std::chrono::seconds{1};
  static constexpr Duration kLongestWait = std::chrono::minutes{1};

  bool is_open() const { return open_; }
  TimePoint probe_at() const { return probe_at_; }
  void probe_now(TimePoint now) { probe_at_ = std::min(probe_at_, now); }

  // A request goes out; while open it is the probe.
  void started() { probing_ = open_; }
  void abandoned() { probing_ = false; }
  // True if this opened it. `random` in [0, 1) spreads the probes of many agents by a tenth.
  bool unreachable(int others_in_flight, double random, TimePoint now) {
    if (open_ && !probing_) return false;  // was under way when it opened
    probing_ = false;
    ++failures_;
    const bool opens = !open_ && (failures_ >= kFailuresToOpen || others_in_flight == 0);
    if (!open_ && !opens) return false;
    wait_ = open_ ? std::min(2 * wait_, kLongestWait) : kFirstWait;
    open_ = true;
    probe_at_ = now + wait_ + Duration(static_cast<Duration::rep>(wait_.count() * random / 10));
    return opens;
  }
  void reached() {
    open_ = false;
    probing_ = false;
    failures_ = 0;
  }

 private:
  bool open_ = false;
  bool probing_ = false;
  int failures_ = 0;
  Duration wait_{0};
  TimePoint probe_at_{};
};

}  // namespace millrace
