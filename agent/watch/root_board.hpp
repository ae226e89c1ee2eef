// Where a root's thread and the rest of the agent meet: requests go in, health comes out.
#pragma once

#include <atomic>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/job/observation.hpp"
#include "agent/watch/fingerprints.hpp"
#include "agent/watch/root.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/mutex.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {

// Thread-safe; nothing blocks but sleep_until() and wait_stopped().
class RootBoard {
 public:
  RootBoard();

  // -- from outside ------------------------------------------------------------------------------
  void post_probes(std::vector<ProbeRequest> probes);
  void want_rescan(Haste haste);
  void acknowledge(std::string_view name, std::string_view version);
  void forget_acknowledged();
  RootHealth health(TimePoint now, Duration stalled_after) const;
  void wake();
  bool wait_stopped(TimePoint deadline) const;

  // -- from the root's thread --------------------------------------------------------------------
  std::vector<ProbeRequest> take_probes(std::size_t most);
  void give_back_probes(std::vector<ProbeRequest> probes);
  bool has_probes() const;
  std::size_t probes() const;
  std::optional<Haste> take_rescan();
  bool is_acknowledged(std::string_view name, std::string_view version);
  void begin_sweep();
  void sweep();
  // The watcher that wake() wakes; nullptr before it is destroyed.
  void set_watcher(Watcher* watcher);
  void sleep_until(TimePoint deadline);  // or until wake()
  void set_health(const RootHealth& health);
  void set_stopped();
  // The call that begins now should be back by `when`; nothing while no call is under way.
  void expect_back(TimePoint when) {
    back_by_.store(when.time_since_epoch().count(), std::memory_order_relaxed);
  }
  void is_back() { back_by_.store(kNoCall, std::memory_order_relaxed); }

 private:
  static constexpr TimePoint::rep kNoCall = 0;

  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::deque<ProbeRequest> probes_ GUARDED_BY(mutex_);
  std::optional<Haste> rescan_ GUARDED_BY(mutex_);
  Fingerprints acknowledged_ GUARDED_BY(mutex_);
  RootHealth health_ GUARDED_BY(mutex_);
  Watcher* watcher_ GUARDED_BY(mutex_) = nullptr;
  bool woken_ GUARDED_BY(mutex_) = false;
  bool stopped_ GUARDED_BY(mutex_) = false;
  // Atomic: written around every system call, and read while the root's thread hangs in one.
  std::atomic<TimePoint::rep> back_by_{kNoCall};
};

}  // namespace millrace
