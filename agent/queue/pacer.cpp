#include "agent/queue/pacer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace millrace {
namespace {

using std::chrono::duration;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Below a rate that is known: so much of a window stays free for requests that travel at unequal
// speed. A late start that may be made up for takes less than that of the shortest usual window.
constexpr double kBelowKnown = 0.97;
constexpr Duration kCatchUp = milliseconds{20};
constexpr double kBelowLearnt = 0.98;
constexpr double kBelowConfirmed = 0.985;
constexpr double kLowered = 0.97;

constexpr Duration kFirstPause = seconds{1};
constexpr Duration kLongestPause = minutes{1};
constexpr Duration kLongestRetryAfter = hours{1};
constexpr double kPauseJitter = 0.05;

constexpr std::size_t kMostRemembered = 4096;
constexpr Duration kShortestMeasure = seconds{5};
constexpr double kRequestsToMeasure = 30;
// One refusal may be chance: it says no more than that the ceiling is a little lower.
constexpr double kLeastKept = 0.95;
constexpr double kSameCeiling = 0.12;  // a refusal within this share of the ceiling confirms it

// Services count by the second, the minute or the hour.
constexpr std::array<Duration, 3> kUsualWindows{seconds{1}, minutes{1}, hours{1}};
// A reset is told in whole seconds, and rounded in many ways: so little may mean any part of one.
constexpr Duration kRounded = seconds{2};

// How the pace goes on after a refusal: while the ceiling is still searched for, and once a refusal
// came where it was expected.
struct Plateau {
  Duration shortest_hold;
  double requests_to_hold;
  double first_step;
};
constexpr Plateau kSearching{seconds{5}, 10, 0.08};
constexpr Plateau kConfirmed{seconds{20}, 20, 0.01};
constexpr Duration kLongestHold = minutes{20};
constexpr double kLongestStep = 0.25;
constexpr int kRequestsOfStep = 10;
constexpr Duration kShortestStep = seconds{5};

double in_seconds(Duration time) { return duration<double>(time).count(); }
Duration from_seconds(double time) {
  return std::chrono::duration_cast<Duration>(duration<double>(time));
}

}  // namespace

std::optional<double> Pacer::rate() const {
  std::optional<double> lowest = learnt_;
  for (const auto& known : {configured_, told_rate_}) {
    if (known) lowest = std::min(lowest.value_or(*known * kBelowKnown), *known * kBelowKnown);
  }
  return lowest;
}

TimePoint Pacer::next_at() const {
  return std::max({next_start_ - kCatchUp, paused_until_, exhausted_until_});
}

std::optional<TimePoint> Pacer::paused_until(TimePoint now) const {
  return paused_until_ > now ? std::optional(paused_until_) : std::nullopt;
}

void Pacer::started(TimePoint now) {
  const auto pace = rate();
  if (!pace) return;
  next_start_ = std::max(next_start_, now) + from_seconds(1 / *pace);
}

void Pacer::take_back() {
  if (const auto pace = rate()) next_start_ -= from_seconds(1 / *pace);
}

void Pacer::accepted(TimePoint request_started, TimePoint now) {
  if (episode_ && request_started >= lowered_at_) {
    learn(request_started);
    episode_ = false;
    refusals_ = 0;
    first_pause_.reset();
    accepted_.clear();
    cycle_start_ = request_started;
    step_accepted_ = 0;
  }
  if (!cycle_start_) cycle_start_ = request_started;
  accepted_.push_back(request_started);
  if (accepted_.size() > kMostRemembered) accepted_.pop_front();
  if (!episode_) probe_upward(now);
}

void Pacer::refused(TimePoint request_started, Duration retry_after, TimePoint now) {
  const bool told = retry_after > Duration{0};
  const bool was_under_way = episode_ && request_started < lowered_at_;
  if (was_under_way && !told) return;
  if (!episode_) {
    episode_ = true;
    refused_at_ = request_started;
    refusals_ = 0;
    ceiling_before_ = ceiling_;
    hold_before_ = hold_;
    hold_until_before_ = hold_until_;
    learnt_before_ = learnt_;
    if (!ceiling_) first_pause_ = retry_after;
  }
  Duration pause = std::min(retry_after, kLongestRetryAfter);
  if (!was_under_way) {
    lowered_at_ = now;
    ++refusals_;
    if (!told) pause = std::min(kFirstPause * (1 << std::min(refusals_ - 1, 6)), kLongestPause);
  }
  pause += from_seconds(in_seconds(pause) * kPauseJitter * random_());
  paused_until_ = std::max(paused_until_, now + pause);
  next_start_ = std::max(next_start_, paused_until_ + kCatchUp);
  learn(paused_until_);
}

double Pacer::accepted_rate(TimePoint until) const {
  const TimePoint cycle_start = cycle_start_.value_or(refused_at_);
  TimePoint from = cycle_start;
  // A pause that is short against the cycle is the price of a probe, not part of the rate; then
  // what counts is the end of the cycle, since the pace grew within it.
  if (learnt_before_ && until - lowered_at_ < (refused_at_ - cycle_start) / 10) {
    const Duration enough = from_seconds(kRequestsToMeasure / *learnt_before_);
    until = refused_at_;
    from = std::max(from, until - std::max(kShortestMeasure, enough));
  }
  if (accepted_.size() >= kMostRemembered) from = std::max(from, accepted_.front());
  const auto count = std::ranges::count_if(
      accepted_, [&](TimePoint start) { return from <= start && start < until; });
  return std::max(1.0, static_cast<double>(count)) / std::max(0.05, in_seconds(until - from));
}

std::optional<double> Pacer::first_guess() const {
  if (!first_pause_) return std::nullopt;
  if (told_rate_ || configured_) {
    return std::min(told_rate_.value_or(*configured_), configured_.value_or(*told_rate_));
  }
  if (*first_pause_ <= Duration{0}) return std::nullopt;
  const auto window = std::ranges::find_if(
      kUsualWindows, [&](Duration usual) { return *first_pause_ < usual + kRounded; });
  if (window == kUsualWindows.end()) return std::nullopt;
  const std::size_t most = most_within(*window);
  if (most == 0) return std::nullopt;
  return static_cast<double>(most) / in_seconds(*window);
}

// Of what was accepted, the most that was sent within one window, wherever it lies: requests travel
// at unequal speed, so that the window which was full for the server is not the one that ends with
// the first refusal.
std::size_t Pacer::most_within(Duration window) const {
  std::vector<TimePoint> starts(accepted_.begin(), accepted_.end());
  std::ranges::sort(starts);
  std::size_t most = 0;
  auto first = starts.begin();
  for (auto last = starts.begin(); last != starts.end(); ++last) {
    while (*last - *first >= window) ++first;
    most = std::max(most, static_cast<std::size_t>(last - first) + 1);
  }
  return most;
}

void Pacer::learn(TimePoint until) {
  const auto guess = first_guess();
  double rate = guess ? *guess : accepted_rate(until);
  if (ceiling_before_ && refusals_ <= 1) rate = std::max(rate, *ceiling_before_ * kLeastKept);
  const bool confirmed = ceiling_before_ && std::abs(rate / *ceiling_before_ - 1) <= kSameCeiling;
  // Refused although the pace was not probing: what was measured had profited from a bucket that
  // filled up during the pause before.
  const bool too_high = confirmed && refused_at_ < hold_until_before_;
  ceiling_ = !confirmed ? rate
             : too_high ? std::min(rate, *ceiling_before_) * kLowered
                        : std::max(rate, *ceiling_before_);
  learnt_ = *ceiling_ * (confirmed ? kBelowConfirmed : kBelowLearnt);
  // A window that was filled to its brim is as good as a ceiling that was met twice.
  const Plateau& plateau = confirmed || guess ? kConfirmed : kSearching;
  const Duration shortest =
      std::max(plateau.shortest_hold, from_seconds(plateau.requests_to_hold / *learnt_));
  const Duration longest = std::max(kLongestHold, shortest);
  hold_ = confirmed && !too_high ? std::clamp(2 * hold_before_, shortest, longest) : shortest;
  hold_until_ = until + hold_;
  step_ = plateau.first_step;
}

void Pacer::probe_upward(TimePoint now) {
  if (!learnt_ || now < hold_until_) return;
  if (step_accepted_++ == 0) step_start_ = now;
  const Duration taken = now - step_start_;
  if (step_accepted_ <= kRequestsOfStep || taken < kShortestStep) return;
  // What was not asked for proves nothing.
  const bool pace_was_used = (step_accepted_ - 1) / in_seconds(taken) >= 0.8 * *learnt_;
  step_accepted_ = 0;
  if (!pace_was_used) return;
  *learnt_ *= 1 + step_;
  step_ = std::min(2 * step_, kLongestStep);
}

void Pacer::told(std::optional<std::int64_t> remaining, std::optional<std::int64_t> limit,
                 std::optional<Duration> reset, TimePoint now) {
  if (!reset || *reset < Duration{0}) return;
  const Duration in = std::clamp<Duration>(*reset, seconds{1}, kLongestRetryAfter);
  if (remaining && *remaining <= 0 && in > kRounded)
    exhausted_until_ = std::max(exhausted_until_, now + in);
  if (!limit || *limit <= 0) return;
  if (limit != told_limit_) told_window_ = Duration{0};
  told_limit_ = limit;
  told_window_ = std::max(told_window_, in);
  const Duration window = told_window_ <= kRounded ? Duration{seconds{1}} : told_window_;
  told_rate_ = static_cast<double>(*limit) / in_seconds(window);
}

}  // namespace millrace
