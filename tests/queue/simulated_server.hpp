// A server with a rate limit, and a loop that drives a Gate against it; time is simulated.
#pragma once

#include <cmath>
#include <deque>
#include <optional>
#include <queue>
#include <random>
#include <vector>

#include "agent/queue/gate.hpp"

namespace millrace::test {

enum class Counting { FixedWindow, SlidingWindow, TokenBucket };
enum class Tells { Nothing, RetryAfter, Headers, Both };

// Counts in its own way; refused requests are not counted.
class SimulatedServer {
 public:
  SimulatedServer(Counting counting, int most, double window)
      : counting_(counting), most_(most), window_(window), tokens_(most) {}

  // Seconds. Advances its idea of time; arrivals come in order.
  bool take(double t) {
    refresh(t);
    if (left() < 1) return false;
    if (counting_ == Counting::TokenBucket) tokens_ -= 1;
    log_.push_back(t);
    return true;
  }
  double left() const {
    return counting_ == Counting::TokenBucket ? tokens_ : most_ - static_cast<double>(log_.size());
  }
  int most() const { return most_; }
  // Until something is left again.
  double wait(double t) const {
    if (counting_ == Counting::TokenBucket) return std::max(0.0, 1 - tokens_) * window_ / most_;
    if (counting_ == Counting::FixedWindow) return (std::floor(t / window_) + 1) * window_ - t;
    return log_.empty() ? 0 : log_.front() + window_ - t;
  }

 private:
  void refresh(double t) {
    if (counting_ == Counting::TokenBucket) {
      tokens_ = std::min<double>(most_, tokens_ + (t - last_) * most_ / window_);
      log_.clear();
    } else if (counting_ == Counting::FixedWindow) {
      if (std::floor(t / window_) != std::floor(last_ / window_)) log_.clear();
    } else {
      while (!log_.empty() && log_.front() <= t - window_) log_.pop_front();
    }
    last_ = t;
  }

  Counting counting_;
  int most_;
  double window_;
  double tokens_;
  double last_ = 0;
  std::deque<double> log_;
};

struct Run {
  int accepted = 0;
  int refused = 0;
  int highest_in_flight = 0;
  double share_of(double most) const { return accepted / most; }
  double wasted() const { return refused / static_cast<double>(accepted + refused); }
};

struct Simulation {
  Counting counting = Counting::SlidingWindow;
  int most = 12;
  double window = 1;
  Tells tells = Tells::RetryAfter;
  double latency = 0.25;  // seconds, half of it to the server
  double jitter = 0.02;   // of the way to the server
  double late = 0.002;    // of the loop that asks the gate
  double start = 0.37;    // within the server's window
  int told_too_much = 0;  // seconds that Retry-After and the reset are rounded up beyond need
  double duration = 900;  // seconds
  int workers = 64;
  std::uint64_t seed = 1;
};

inline TimePoint at(double seconds) {
  return TimePoint{std::chrono::hours{1}} +
         std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

class Driver {
 public:
  Driver(const Simulation& simulation, GateRules rules)
      : sim_(simulation),
        server_(simulation.counting, simulation.most, simulation.window),
        random_(simulation.seed),
        gate_(rules, [this] { return uniform_(random_); }) {}

  Run run() {
    double now = sim_.start;
    const double end = now + sim_.duration;
    while (now < end) {
      start_all(now);
      now = step(now, end);
    }
    return result_;
  }
  Gate& gate() { return gate_; }

 private:
  struct Event {
    double time;
    bool at_server;
    double started;
    std::optional<Error> error;
    GateNews news;
    bool operator>(const Event& other) const { return time > other.time; }
  };

  void start_all(double now) {
    while (in_flight_ < sim_.workers && gate_.open(at(now))) {
      gate_.started(at(now));
      result_.highest_in_flight = std::max(result_.highest_in_flight, ++in_flight_);
      events_.push({now + sim_.latency / 2 + sim_.jitter * uniform_(random_), true, now, {}, {}});
    }
  }
  // Goes to the next event or the gate's next opening.
  double step(double now, double end) {
    double next = events_.empty() ? end : events_.top().time;
    if (in_flight_ < sim_.workers) {
      if (const auto opens = gate_.opens_at(at(now))) {
        const double opening = std::chrono::duration<double>(*opens - at(0)).count();
        next = std::min(next, std::max(opening, now) + sim_.late * uniform_(random_) + 1e-6);
      }
    }
    while (!events_.empty() && events_.top().time <= next) {
      const Event event = events_.top();
      events_.pop();
      event.at_server ? serve(event) : finish(event);
    }
    return next;
  }
  void serve(Event event) {
    const double t = event.time;
    const bool taken = server_.take(t);
    if (!taken) {
      event.error = Error{ErrorKind::Rate, "429", 0, {}};
      if (sim_.tells == Tells::RetryAfter || sim_.tells == Tells::Both) {
        event.error->retry_after = std::chrono::milliseconds(1000 * std::max(1L, told_wait(t)));
      }
    }
    if (sim_.tells == Tells::Headers || sim_.tells == Tells::Both) {
      event.news.window_limit = server_.most();
      event.news.window_remaining = static_cast<std::int64_t>(server_.left());
      event.news.window_reset = std::chrono::seconds(told_wait(t));
    }
    event.at_server = false;
    event.time += sim_.latency / 2;
    events_.push(event);
  }
  long told_wait(double t) const {
    return std::lround(std::ceil(server_.wait(t) - 1e-6)) + sim_.told_too_much;
  }
  void finish(const Event& event) {
    --in_flight_;
    ++(event.error ? result_.refused : result_.accepted);
    gate_.finished(event.error ? &*event.error : nullptr, event.news,
                   at(event.time) - at(event.started), !event.error, at(event.time));
  }

  Simulation sim_;
  SimulatedServer server_;
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> uniform_{0, 1};
  Gate gate_;
  int in_flight_ = 0;
  Run result_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

}  // namespace millrace::test
