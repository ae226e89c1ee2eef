#include "agent/queue/gate.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "agent/queue/circuit.hpp"
#include "agent/queue/concurrency_limit.hpp"
#include "agent/queue/pacer.hpp"

namespace millrace {
namespace {

// So many transient failures in a row are taken for overload; one may be the file's own.
constexpr int kTransientsOfOverload = 3;

ConcurrencyRules concurrency_of(const GateRules& rules) {
  return {rules.concurrency, rules.start_concurrency, rules.only_overload_lowers,
          rules.most_concurrency};
}

// What an error tells about the other side.
enum class Meaning { Accepted, Refused, Unreachable, NoQuota, Misconfigured, Trouble, Nothing };
struct MeaningOfError {
  ErrorKind kind;
  Meaning meaning;
};
constexpr std::array kMeanings{
    MeaningOfError{ErrorKind::Input, Meaning::Accepted},
    MeaningOfError{ErrorKind::Converter, Meaning::Accepted},
    MeaningOfError{ErrorKind::Busy, Meaning::Accepted},
    MeaningOfError{ErrorKind::Rate, Meaning::Refused},
    MeaningOfError{ErrorKind::Unreachable, Meaning::Unreachable},
    MeaningOfError{ErrorKind::Quota, Meaning::NoQuota},
    MeaningOfError{ErrorKind::Configuration, Meaning::Misconfigured},
    MeaningOfError{ErrorKind::Transient, Meaning::Trouble},
};

Meaning meaning_of(const Error* error) {
  if (error == nullptr) return Meaning::Accepted;
  const auto row = std::ranges::find(kMeanings, error->kind, &MeaningOfError::kind);
  return row == kMeanings.end() ? Meaning::Nothing : row->meaning;
}

// Why the gate is closed, and until when if time alone opens it. `state` Open with `closed` set:
// the gate is busy or pacing, which is nothing to tell people about.
struct Hold {
  bool closed = false;
  GateState state = GateState::Open;
  std::string reason;
  std::optional<TimePoint> until;
};

}  // namespace

struct Gate::State {
  GateRules rules;
  std::function<double()> random;
  ConcurrencyLimit concurrency;
  Pacer pacer;
  Circuit circuit;
  std::string unreachable_why;  // the last failure to connect
  int in_flight = 0;
  int hung = 0;  // of them
  int transients = 0;
  double latency = 0;  // seconds, moving average of accepted requests
  std::optional<std::string> stopped, paused, no_quota;
  std::optional<TimePoint> no_quota_until;
  std::optional<std::int64_t> quota_remaining, quota_limit;
  std::optional<std::int64_t> floor_waived_at;  // what may be heard to be left without a new quota
  std::int64_t spent = 0;

  State(const GateRules& r, std::function<double()> rnd)
      : rules(r), random(std::move(rnd)), concurrency(concurrency_of(rules)), pacer(random) {
    pacer.set_configured(rules.rate_per_second);
  }

  int limit() const {
    return circuit.is_open() || pacer.must_try_alone() ? 1 : concurrency.limit();
  }
  std::optional<std::int64_t> floor() const;
  bool is_at_floor() const;  // or would be with the requests in flight
  Hold hold(TimePoint now) const;
  std::optional<Hold> hold_for_people(TimePoint now) const;
  void hear(const GateNews& news, TimePoint now);
  void reached(Duration took);
  int concurrency_for_rate() const;
};

std::optional<std::int64_t> Gate::State::floor() const {
  std::optional<std::int64_t> floor = rules.quota_floor;
  if (rules.quota_floor_share && quota_limit) {
    const auto share = static_cast<std::int64_t>(
        std::ceil(*rules.quota_floor_share * static_cast<double>(*quota_limit)));
    floor = std::max(floor.value_or(0), share);
  }
  return floor;
}

bool Gate::State::is_at_floor() const {
  const auto lowest = floor();
  return lowest && quota_remaining && *quota_remaining - in_flight <= *lowest;
}

std::optional<Hold> Gate::State::hold_for_people(TimePoint now) const {
  if (stopped) return Hold{true, GateState::Stopped, *stopped, {}};
  if (paused) return Hold{true, GateState::Paused, *paused, {}};
  if (no_quota && (!no_quota_until || *no_quota_until > now)) {
    return Hold{true, GateState::Paused, *no_quota, no_quota_until};
  }
  if (rules.monthly_budget && spent + in_flight >= *rules.monthly_budget) {
    const bool all_spent = spent >= *rules.monthly_budget;
    return Hold{
        true,
        all_spent ? GateState::Paused : GateState::Open,
        "the monthly budget of " + std::to_string(*rules.monthly_budget) + " conversions is spent",
        {}};
  }
  if (is_at_floor() && !floor_waived_at) {
    const auto lowest = floor();
    const bool reached = *quota_remaining <= *lowest;
    return Hold{true,
                reached ? GateState::Paused : GateState::Open,
                "the account's quota is down to its floor (" + std::to_string(*quota_remaining) +
                    " left, floor " + std::to_string(*lowest) + ")",
                {}};
  }
  return std::nullopt;
}

Hold Gate::State::hold(TimePoint now) const {
  if (auto held = hold_for_people(now)) return *held;
  if (circuit.is_open()) {
    // A probe under way decides; until then time does not help.
    if (in_flight > hung) return {true, GateState::CircuitOpen, unreachable_why + "; trying", {}};
    const bool waits = circuit.probe_at() > now;
    return {waits, GateState::CircuitOpen, unreachable_why, circuit.probe_at()};
  }
  if (const auto until = pacer.paused_until(now)) {
    return {true, GateState::Paused, "the converter asks for fewer requests", until};
  }
  if (in_flight - hung >= limit()) return {true, GateState::Open, {}, {}};
  if (const TimePoint next = pacer.next_at(); next > now) return {true, GateState::Open, {}, next};
  return {};
}

void Gate::State::hear(const GateNews& news, TimePoint now) {
  if (news.quota_limit) quota_limit = news.quota_limit;
  if (news.quota_remaining) {
    if (floor_waived_at && *news.quota_remaining > *floor_waived_at) floor_waived_at.reset();
    quota_remaining = news.quota_remaining;
    // Where the limit is not told, the most that was ever left stands for it.
    if (!news.quota_limit) quota_limit = std::max(quota_limit.value_or(0), *quota_remaining);
  }
  pacer.told(news.window_remaining, news.window_limit, news.window_reset, now);
}

// What the learnt rate needs by Little's law; fewer would waste the rate.
int Gate::State::concurrency_for_rate() const {
  const auto rate = pacer.rate();
  return rate ? static_cast<int>(std::min(1e6, *rate * latency * 1.25)) + 1 : 1;
}

void Gate::State::reached(Duration took) {
  const double seconds = std::chrono::duration<double>(took).count();
  latency = latency == 0 ? seconds : latency + (seconds - latency) / 8;
  transients = 0;
}

Gate::Gate(const GateRules& rules, std::function<double()> random)
    : state_(std::make_unique<State>(rules, std::move(random))) {}
Gate::~Gate() = default;

void Gate::set_rules(const GateRules& rules) {
  state_->rules = rules;
  state_->concurrency.set_rules(concurrency_of(state_->rules));
  state_->pacer.set_configured(state_->rules.rate_per_second);
  state_->stopped.reset();
}

void Gate::begin_month(std::int64_t conversions) {
  state_->no_quota.reset();
  state_->quota_remaining.reset();
  state_->floor_waived_at.reset();
  state_->spent = conversions;
}

void Gate::add_spent_this_month(std::int64_t conversions) { state_->spent += conversions; }

bool Gate::open(TimePoint now) const { return !state_->hold(now).closed; }

std::optional<TimePoint> Gate::opens_at(TimePoint now) const {
  const Hold hold = state_->hold(now);
  return hold.closed ? hold.until : now;
}

void Gate::set_hung(int requests) { state_->hung = requests; }

void Gate::started(TimePoint now) {
  ++state_->in_flight;
  state_->circuit.started();
  state_->pacer.started(now);
}

void Gate::finished(const Error* error, const GateNews& news, Duration latency, bool maybe_billed,
                    TimePoint now) {
  State& s = *state_;
  const int in_flight = s.in_flight;
  const TimePoint began = now - latency;
  s.in_flight = std::max(0, s.in_flight - 1);
  if (maybe_billed) ++s.spent;
  s.hear(news, now);
  const Meaning meaning = meaning_of(error);
  if (meaning != Meaning::Nothing && meaning != Meaning::Unreachable) s.circuit.reached();
  switch (meaning) {
    case Meaning::Accepted:
      s.reached(latency);
      s.pacer.accepted(began, now);
      s.concurrency.succeeded(in_flight);
      break;
    case Meaning::Refused:
      s.pacer.refused(began, error->retry_after, now);
      s.concurrency.overloaded(began, now, s.concurrency_for_rate());
      break;
    case Meaning::Unreachable:
      s.unreachable_why = error->message.empty() ? "not reachable" : error->message;
      s.concurrency.overloaded(began, now, 1);
      if (s.circuit.unreachable(s.in_flight, s.random(), now)) s.concurrency.restart();
      break;
    case Meaning::NoQuota:
      s.no_quota = error->message.empty() ? "the quota is used up" : error->message;
      s.no_quota_until =
          error->retry_after.count() > 0 ? std::optional(now + error->retry_after) : std::nullopt;
      break;
    case Meaning::Misconfigured:
      s.stopped = error->message;
      break;
    case Meaning::Trouble:
      if (++s.transients >= kTransientsOfOverload) s.concurrency.overloaded(began, now, 1);
      break;
    case Meaning::Nothing:
      break;
  }
}

void Gate::abandoned() {
  state_->in_flight = std::max(0, state_->in_flight - 1);
  state_->circuit.abandoned();
  state_->pacer.take_back();
}

void Gate::pause(std::string reason) { state_->paused = std::move(reason); }

void Gate::resume(TimePoint now) {
  state_->paused.reset();
  state_->floor_waived_at.reset();
  // Answers of requests that are under way together come in any order.
  if (state_->is_at_floor()) state_->floor_waived_at = *state_->quota_remaining + state_->in_flight;
  renew(now);
}

void Gate::renew(TimePoint now) {
  state_->stopped.reset();
  state_->no_quota.reset();
  state_->circuit.probe_now(now);
}

GateView Gate::view(TimePoint now) const {
  const State& s = *state_;
  const Hold hold = s.hold(now);
  GateView view;
  view.state = hold.state;
  if (hold.state != GateState::Open) {
    view.reason = hold.reason;
    if (hold.until) view.opens_in = std::max<Duration>(Duration{0}, *hold.until - now);
  }
  view.in_flight = s.in_flight;
  view.limit = s.limit();
  view.rate_per_second = s.pacer.rate();
  view.quota_remaining = s.quota_remaining;
  view.quota_limit = s.quota_limit;
  if (s.rules.monthly_budget) {
    view.budget_left = std::max<std::int64_t>(0, *s.rules.monthly_budget - s.spent);
  }
  return view;
}

}  // namespace millrace
