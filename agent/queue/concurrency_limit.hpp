// How many requests may be in flight: additive increase, multiplicative decrease. Pure.
#pragma once

#include <optional>

#include "platform/base/clock.hpp"

namespace millrace {

struct ConcurrencyRules {
  std::optional<int> fixed;  // not to be learnt
  int start = 4;
  bool only_overload_lowers = false;  // `start` is the ceiling too
  int most = 1024;
};

class ConcurrencyLimit {
 public:
  explicit ConcurrencyLimit(const ConcurrencyRules& rules);

  // Keeps what was learnt, within the new bounds.
  void set_rules(const ConcurrencyRules& rules);
  int limit() const { return static_cast<int>(value_); }
  // An answer came while `in_flight` requests (this one included) were under way: doubles each
  // latency window until the first overload, then adds one a window; only where the limit was used.
  void succeeded(int in_flight);
  // Halves, once for all requests that were under way by then, but not below `floor`.
  void overloaded(TimePoint request_started, TimePoint now, int floor);
  // After an outage: one request, then doubling up to where it was.
  void restart();

 private:
  double top() const;

  ConcurrencyRules rules_;
  double value_;
  double threshold_;  // doubling ends here
  std::optional<TimePoint> lowered_at_;
};

}  // namespace millrace
