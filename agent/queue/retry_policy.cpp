#include "agent/queue/retry_policy.hpp"

#include <algorithm>
#include <array>

namespace millrace {
namespace {

using std::chrono::seconds;

struct Row {
  ErrorKind kind;
  NextStep step;
  Duration least_wait;  // of Wait: where no gate holds the job back
};

constexpr std::array kRows{
    Row{ErrorKind::Input, NextStep::Fail, {}},
    Row{ErrorKind::Configuration, NextStep::Wait, {}},
    Row{ErrorKind::Quota, NextStep::Wait, {}},
    Row{ErrorKind::Rate, NextStep::Wait, {}},
    Row{ErrorKind::Busy, NextStep::Wait, seconds{2}},
    Row{ErrorKind::Transient, NextStep::Retry, {}},
    Row{ErrorKind::Unreachable, NextStep::Wait, {}},
    Row{ErrorKind::Converter, NextStep::Fail, {}},
    Row{ErrorKind::Environment, NextStep::Wait, seconds{5}},
    Row{ErrorKind::Changed, NextStep::SettleAnew, {}},
    Row{ErrorKind::Vanished, NextStep::Cancel, {}},
    Row{ErrorKind::Exists, NextStep::Fail, {}},
    Row{ErrorKind::Stopped, NextStep::Wait, {}},
    Row{ErrorKind::Defect, NextStep::Fail, {}},
};

Duration doubled(Duration delay, int times, Duration most) {
  for (; times > 0 && delay < most; --times) delay *= 2;
  return std::min(delay, most);
}

Duration share_of(Duration delay, double share) {
  return std::chrono::duration_cast<Duration>(delay * share);
}

Decision retry(const RetryRules& rules, int attempts, Duration age, double random) {
  if (age > rules.give_up_after && attempts >= rules.least_attempts)
    return {NextStep::Fail, {}, true};
  if (attempts < rules.quick_attempts) {
    const Duration most = doubled(rules.first_delay, attempts - 1, rules.longest_deferral);
    return {NextStep::Retry, share_of(most, random), false};
  }
  // Full jitter would make a deferral of an hour one of no time; a quarter more keeps a herd apart.
  const Duration deferral =
      doubled(rules.first_deferral, attempts - rules.quick_attempts, rules.longest_deferral);
  return {NextStep::Retry, deferral + share_of(deferral, random / 4), true};
}

}  // namespace

Decision decide(const RetryRules& rules, const Error& error, int attempts, Duration age,
                const std::function<double()>& random) {
  const auto row = std::ranges::find(kRows, error.kind, &Row::kind);
  if (row == kRows.end()) return {NextStep::Fail, {}, false};
  Decision decision{row->step, row->least_wait, false};
  if (row->step == NextStep::Retry) decision = retry(rules, attempts, age, random());
  const bool floor_counts = error.kind == ErrorKind::Transient || error.kind == ErrorKind::Busy;
  if (floor_counts && decision.step != NextStep::Fail) {
    const Duration asked = std::min<Duration>(error.retry_after, rules.longest_wait);
    decision.delay = std::max(decision.delay, asked);
  }
  return decision;
}

}  // namespace millrace
