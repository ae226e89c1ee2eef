#include "agent/queue/concurrency_limit.hpp"

#include <algorithm>

namespace millrace {

ConcurrencyLimit::ConcurrencyLimit(const ConcurrencyRules& rules)
    : rules_(rules), value_(rules.fixed.value_or(rules.start)), threshold_(rules.most) {
  value_ = std::clamp(value_, 1.0, top());
}

void ConcurrencyLimit::set_rules(const ConcurrencyRules& rules) {
  const bool began_anew = rules.fixed != rules_.fixed || rules.start != rules_.start ||
                          rules.only_overload_lowers != rules_.only_overload_lowers;
  if (began_anew) {
    *this = ConcurrencyLimit(rules);
    return;
  }
  rules_ = rules;
  value_ = std::clamp(value_, 1.0, top());
}

void ConcurrencyLimit::succeeded(int in_flight) {
  if (2 * in_flight < limit()) return;
  value_ += value_ < threshold_ ? 1.0 : 1.0 / value_;
  value_ = std::min(value_, top());
}

void ConcurrencyLimit::overloaded(TimePoint request_started, TimePoint now, int floor) {
  if (rules_.fixed || (lowered_at_ && request_started < *lowered_at_)) return;
  lowered_at_ = now;
  value_ = std::max({1.0, value_ / 2, std::min<double>(floor, value_)});
  threshold_ = value_;
}

void ConcurrencyLimit::restart() {
  // Where it was still doubling (also after an earlier restart), it may double on.
  if (value_ >= threshold_) threshold_ = value_;
  value_ = 1;
}

double ConcurrencyLimit::top() const {
  if (rules_.fixed) return std::max(1, *rules_.fixed);
  return std::max(1, rules_.only_overload_lowers ? rules_.start : rules_.most);
}

}  // namespace millrace
