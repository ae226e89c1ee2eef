#include "agent/watch/root_board.hpp"

#include <iterator>
#include <random>

namespace millrace {
namespace {

std::uint64_t random_word() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

}  // namespace

RootBoard::RootBoard() : acknowledged_(random_word(), random_word()) {}

void RootBoard::post_probes(std::vector<ProbeRequest> probes) {
  {
    MutexLock lock(mutex_);
    probes_.insert(probes_.end(), std::make_move_iterator(probes.begin()),
                   std::make_move_iterator(probes.end()));
  }
  wake();
}

void RootBoard::want_rescan(Haste haste) {
  {
    MutexLock lock(mutex_);
    if (rescan_ != Haste::Now) rescan_ = haste;
  }
  wake();
}

void RootBoard::acknowledge(std::string_view name, std::string_view version) {
  MutexLock lock(mutex_);
  acknowledged_.add(name, version);
}

void RootBoard::forget_acknowledged() {
  MutexLock lock(mutex_);
  acknowledged_.clear();
}

RootHealth RootBoard::health(TimePoint now, Duration stalled_after) const {
  RootHealth health;
  {
    MutexLock lock(mutex_);
    health = health_;
    health.acknowledged = acknowledged_.size();
  }
  const auto back_by = back_by_.load(std::memory_order_relaxed);
  if (back_by == kNoCall) return health;
  const Duration late = now - TimePoint(TimePoint::duration(back_by));
  if (late < stalled_after) return health;
  health.state = RootState::Stalled;
  health.stalled_for = late;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(late).count();
  health.why = "a call on it has not returned for " + std::to_string(seconds) + " s";
  return health;
}

// A watcher's wake() never blocks, so it may be called under the lock that keeps it alive.
void RootBoard::wake() {
  MutexLock lock(mutex_);
  woken_ = true;
  if (watcher_ != nullptr) watcher_->wake();
  changed_.notify_all();
}

bool RootBoard::wait_stopped(TimePoint deadline) const {
  MutexLock lock(mutex_);
  while (!stopped_) {
    if (!changed_.wait_until(lock, deadline)) return stopped_;
  }
  return true;
}

std::vector<ProbeRequest> RootBoard::take_probes(std::size_t most) {
  MutexLock lock(mutex_);
  const auto count = static_cast<std::ptrdiff_t>(std::min(most, probes_.size()));
  std::vector<ProbeRequest> taken(std::make_move_iterator(probes_.begin()),
                                  std::make_move_iterator(probes_.begin() + count));
  probes_.erase(probes_.begin(), probes_.begin() + count);
  return taken;
}

void RootBoard::give_back_probes(std::vector<ProbeRequest> probes) {
  MutexLock lock(mutex_);
  probes_.insert(probes_.begin(), std::make_move_iterator(probes.begin()),
                 std::make_move_iterator(probes.end()));
}

std::size_t RootBoard::probes() const {
  MutexLock lock(mutex_);
  return probes_.size();
}

bool RootBoard::has_probes() const {
  MutexLock lock(mutex_);
  return !probes_.empty();
}

std::optional<Haste> RootBoard::take_rescan() {
  MutexLock lock(mutex_);
  return std::exchange(rescan_, std::nullopt);
}

bool RootBoard::is_acknowledged(std::string_view name, std::string_view version) {
  MutexLock lock(mutex_);
  return acknowledged_.holds(name, version);
}

void RootBoard::begin_sweep() {
  MutexLock lock(mutex_);
  acknowledged_.begin_sweep();
}

void RootBoard::sweep() {
  MutexLock lock(mutex_);
  acknowledged_.sweep();
}

void RootBoard::set_watcher(Watcher* watcher) {
  MutexLock lock(mutex_);
  watcher_ = watcher;
  if (woken_ && watcher_ != nullptr) watcher_->wake();
}

void RootBoard::sleep_until(TimePoint deadline) {
  MutexLock lock(mutex_);
  while (!woken_) {
    if (!changed_.wait_until(lock, deadline)) break;
  }
  woken_ = false;
}

void RootBoard::set_health(const RootHealth& health) {
  MutexLock lock(mutex_);
  health_ = health;
}

void RootBoard::set_stopped() {
  MutexLock lock(mutex_);
  stopped_ = true;
  health_.state = RootState::Stopped;
  changed_.notify_all();
}

}  // namespace millrace
