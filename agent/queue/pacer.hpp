// Spreads requests evenly over time, just below a rate that is configured, told by the answers'
// headers, or learnt from refusals (429). Pure.
//
// Learning. A refusal opens an episode; it ends with the first request that is accepted after the
// pause. What was accepted from the end of the last episode to the end of this one, over that time,
// is what the server really permits, whether it counts in fixed windows, sliding windows or tokens,
// and however long its window is: a burst that was let through is averaged with the pause that it
// cost. That is the ceiling; the pace stays a little below it. After a hold time the pace probes
// upward in growing steps until the next refusal. While refusals come where the ceiling was
// expected the hold time doubles, so that in the long run hardly anything is wasted (the plateau of
// TCP CUBIC, RFC 9438, with the ceiling as its W_max).
//
// The first refusal ends a burst, and its pause is told in whole seconds: averaged, they would make
// half of the real rate. What the headers say stands in for the measure then, or else what was let
// through in one second, minute or hour, the shortest that covers the pause.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "platform/base/clock.hpp"

namespace millrace {

class Pacer {
 public:
  explicit Pacer(std::function<double()> random) : random_(std::move(random)) {}

  void set_configured(std::optional<double> rate_per_second) { configured_ = rate_per_second; }

  // When the next request may start; in the past if at once.
  TimePoint next_at() const;
  // After a second pause without an acceptance nothing is known about its end: one request at a
  // time tries.
  bool must_try_alone() const { return episode_ && refusals_ > 1; }
  // Set while a refusal's pause runs.
  std::optional<TimePoint> paused_until(TimePoint now) const;
  std::optional<double> rate() const;  // requests per second

  void started(TimePoint now);
  void take_back();  // the last start was for nothing
  void accepted(TimePoint request_started, TimePoint now);
  // `retry_after` zero where the server did not say: 1 s, doubling to 60 s.
  void refused(TimePoint request_started, Duration retry_after, TimePoint now);
  // What the headers said about the server's window.
  void told(std::optional<std::int64_t> remaining, std::optional<std::int64_t> limit,
            std::optional<Duration> reset, TimePoint now);

 private:
  double accepted_rate(TimePoint until) const;
  std::optional<double> first_guess() const;
  std::size_t most_within(Duration window) const;
  void learn(TimePoint until);
  void probe_upward(TimePoint now);

  std::function<double()> random_;
  std::optional<double> configured_;
  std::optional<double> told_rate_;
  std::optional<std::int64_t> told_limit_;
  Duration told_window_{0};  // the longest reset seen under this limit

  TimePoint next_start_{};
  TimePoint paused_until_{};
  TimePoint exhausted_until_{};  // the headers said that nothing is left

  // All times of a cycle are those at which requests were sent: answers may take long.
  std::deque<TimePoint> accepted_;  // in this cycle, newest last
  std::optional<TimePoint> cycle_start_;
  bool episode_ = false;
  int refusals_ = 0;  // in this episode, one a pause
  TimePoint refused_at_{};
  TimePoint lowered_at_{};
  std::optional<Duration> first_pause_;  // as told, while the first episode lasts
  std::optional<double> ceiling_, ceiling_before_;
  std::optional<double> learnt_, learnt_before_;
  Duration hold_{0}, hold_before_{0};
  TimePoint hold_until_{}, hold_until_before_{};
  double step_ = 0;
  int step_accepted_ = 0;
  TimePoint step_start_{};
};

}  // namespace millrace
