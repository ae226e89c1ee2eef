// One gate per account: concurrency, request rate, pause, quota floor, monthly budget, circuit.
// Single-threaded; the pipeline's dispatcher holds the lock. A worker never sleeps in a gate: the
// queue hands out only jobs whose gate is open.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

struct GateRules {
  std::optional<int> concurrency;     // nothing: auto
  int start_concurrency = 4;          // auto starts here (convert --workers N sets N)
  bool only_overload_lowers = false;  // start_concurrency is also the ceiling until overload
  int most_concurrency = 1024;
  std::optional<double> rate_per_second;    // nothing: learnt from answers
  std::optional<double> quota_floor_share;  // 0.1 for "10%"
  std::optional<std::int64_t> quota_floor;  // absolute
  std::optional<std::int64_t> monthly_budget;
};

struct GateNews {  // what the answer's headers said
  std::optional<std::int64_t> quota_remaining, quota_limit, window_remaining, window_limit;
  std::optional<Duration> window_reset;
};

enum class GateState { Open, Paused, Stopped, CircuitOpen };

struct GateView {  // for status
  GateState state = GateState::Open;
  std::string reason;  // why it is not open, for people
  std::optional<Duration> opens_in;
  int in_flight = 0;
  int limit = 0;
  std::optional<double> rate_per_second;
  std::optional<std::int64_t> quota_remaining, quota_limit, budget_left;
};

class Gate {
 public:
  Gate(const GateRules& rules, std::function<double()> random);
  ~Gate();

  // New settings also end a stop (Configuration): the key or the URL may be right by now.
  void set_rules(const GateRules& rules);
  // Billed or possibly billed so far. Ends a quota pause: the account's month is a new one as well.
  void begin_month(std::int64_t conversions);
  void add_spent_this_month(std::int64_t conversions);  // of a converter that joined the account

  bool open(TimePoint now) const;  // one more request may start
  // When open() may become true by time alone; nothing if it waits for an answer or a person.
  std::optional<TimePoint> opens_at(TimePoint now) const;
  void started(TimePoint now);
  // `error` null for success. Learns, pauses, opens the circuit. `latency` is the time since
  // started() of this request, so that one refusal of many in flight counts once.
  void finished(const Error* error, const GateNews& news, Duration latency, bool maybe_billed,
                TimePoint now);
  void abandoned();  // started, but nothing was sent; in place of finished()
  // So many of those in flight hang in a file call that does not return; they leave their places
  // to others until it does.
  void set_hung(int requests);

  void pause(std::string reason);  // by a person, until resume()
  // By a person. Also ends what renew() ends. A quota floor that is crossed is ignored from now on,
  // until the quota rises above what it is, or the month ends.
  void resume(TimePoint now);
  // The settings or the key are others now: ends a stop after 401, a quota pause, and the wait of
  // an open circuit.
  void renew(TimePoint now);
  GateView view(TimePoint now) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
