#include "agent/download/answer_queue.hpp"

#include <algorithm>
#include <utility>

namespace millrace {

AnswerQueue::Id AnswerQueue::begin(TimePoint now) {
  requests_.try_emplace(++next_);
  soon_back_.push_back(now);
  return next_;
}

void AnswerQueue::sent(Id id, std::unique_ptr<Underway> request) {
  Entry& entry = requests_.at(id);
  entry.request = std::move(request);
  if (entry.answered) answers_.push_back(id);
}

void AnswerQueue::answered(Id id, Arrival how) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return;
  Entry& entry = found->second;
  entry.answered = true;
  entry.how = how;
  if (entry.request) answers_.push_back(id);
}

std::vector<std::unique_ptr<Underway>> AnswerQueue::give_up() {
  std::vector<std::unique_ptr<Underway>> given;
  for (auto& [id, entry] : requests_) given.push_back(std::move(entry.request));
  requests_.clear();
  answers_.clear();
  return given;
}

AnswerQueue::Taken AnswerQueue::take(TimePoint now) {
  const auto found = requests_.find(answers_.front());
  answers_.pop_front();
  Taken taken{std::move(found->second.request), found->second.how, now};
  requests_.erase(found);
  ++in_hand_;
  if (taken.how == Arrival::Whole) soon_back_.push_back(now);
  return taken;
}

void AnswerQueue::back(const Taken& taken, TimePoint now) {
  --in_hand_;
  if (taken.how == Arrival::Begun) return;
  is_back(taken.when);
  if (now - taken.when > kQuick)
    eager_ = kEager;
  else if (eager_ > 0)
    --eager_;
}

bool AnswerQueue::begin_nap(TimePoint now) {
  if (is_napping() || eager_ > 0 || requests_.empty()) return false;
  napping_since_ = now;
  soon_back_.push_back(now);
  return true;
}

void AnswerQueue::end_nap(TimePoint now) {
  is_back(*napping_since_);
  if (now - *napping_since_ > 4 * kNap) eager_ = kEager;
  napping_since_.reset();
}

void AnswerQueue::is_back(TimePoint since) {
  soon_back_.erase(std::ranges::find(soon_back_, since));
}

}  // namespace millrace
