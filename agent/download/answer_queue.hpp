// The requests of a run that are under way, and who looks at their answers.
//
// An answer waits here until a worker takes it. On a fast network the workers that are awake come
// back sooner than one that sleeps could be woken, which costs as much as the file itself; so a
// worker is woken only where none of them is about to come back. For the same reason one that finds
// nothing to do naps before it sleeps: what comes meanwhile is taken all at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "agent/download/download_window.hpp"
#include "agent/download/file_fetcher.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

struct Underway {
  DownloadTask task;
  TimePoint began;
  Asked asked;
};

// Single-threaded, pure.
class AnswerQueue {
 public:
  using Id = std::uint64_t;
  // Answers that may wait for the workers that are awake.
  static constexpr std::size_t kMostPatient = 12;
  // A worker that took longer than this for a whole answer was kept by the disk or a redirect; and
  // where a nap lasts four times as long as it should, the system wakes late, as Windows does. For
  // so many answers then none waits for another worker.
  static constexpr std::chrono::milliseconds kQuick{20};
  static constexpr int kEager = 16;
  static constexpr std::chrono::milliseconds kNap{3};

  // A request that a worker is about to send; its answer may come before sent() is called.
  Id begin(TimePoint now);
  void sent(Id id, std::unique_ptr<Underway> request);
  void not_sent(Id id) { requests_.erase(id); }
  void back_from_sending(TimePoint began) { is_back(began); }
  // Nothing happens for a request that is not here any more.
  void answered(Id id, Arrival how);
  // All that are here, once nobody sends any more.
  std::vector<std::unique_ptr<Underway>> give_up();

  // What a worker has in hand between take() and back().
  struct Taken {
    std::unique_ptr<Underway> request;
    Arrival how = Arrival::Begun;
    TimePoint when;
  };
  bool has_answer() const { return !answers_.empty(); }
  Taken take(TimePoint now);  // the first that came
  void back(const Taken& taken, TimePoint now);

  // Under way or in a worker's hand.
  std::size_t size() const { return requests_.size() + in_hand_; }
  // Is a worker to be woken for something to do beside what lies here?
  bool short_of_workers(TimePoint now) const {
    return eager_ > 0 || soon_back_.empty() || now - soon_back_.back() > kQuick;
  }
  // And for the answers?
  bool wants_worker(TimePoint now) const {
    return has_answer() && (short_of_workers(now) || is_much());
  }

  // One worker at a time, just back from work, with requests under way that answer soon. False:
  // there is no reason to nap. Until end_nap() it is about to come back.
  bool begin_nap(TimePoint now);
  void end_nap(TimePoint now);
  bool is_napping() const { return napping_since_.has_value(); }

 private:
  void is_back(TimePoint since);
  // More than those that are awake are to be left alone with. Of a nap the end is half of what was
  // asked for: a server that has answered all waits for us.
  bool is_much() const {
    return answers_.size() > kMostPatient ||
           (is_napping() && 2 * answers_.size() >= requests_.size());
  }

  struct Entry {
    std::unique_ptr<Underway> request;  // none: it is being sent
    bool answered = false;
    Arrival how = Arrival::Begun;
  };

  std::map<Id, Entry> requests_;
  std::deque<Id> answers_;  // sent and answered
  Id next_ = 0;
  std::size_t in_hand_ = 0;
  // Of workers that send, or have a whole answer in hand: since when, in order.
  std::vector<TimePoint> soon_back_;
  int eager_ = 0;
  std::optional<TimePoint> napping_since_;
};

}  // namespace millrace
