// The mains of a simulated machine: every part of it that keeps something asks before it changes
// anything, so that one count runs through file system, database and the world outside.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <utility>

namespace millrace::test {

// Thread-safe.
class Power {
 public:
  // The n-th change from now (1 is the next) does not happen, nor does any after it, until
  // restore().
  void lose_at(std::uint64_t n) {
    const std::lock_guard lock(mutex_);
    last_ = spent_ + n;
  }
  // Called once, by whoever asks for the change that does not happen; at once if the power is off.
  void when_off(std::function<void()> gone) {
    {
      const std::lock_guard lock(mutex_);
      if (spent_ < last_) {
        gone_ = std::move(gone);
        return;
      }
    }
    gone();
  }
  void restore() {
    const std::lock_guard lock(mutex_);
    last_ = kNever;
    gone_ = nullptr;
  }

  // To be called before a change: whether it may be made.
  bool spend() {
    std::function<void()> gone;
    {
      const std::lock_guard lock(mutex_);
      if (spent_ >= last_) return false;
      if (free_) return true;
      if (++spent_ < last_) return true;
      gone = std::exchange(gone_, nullptr);
    }
    if (gone) gone();
    return false;
  }
  bool is_off() const {
    const std::lock_guard lock(mutex_);
    return spent_ >= last_;
  }
  std::uint64_t spent() const {
    const std::lock_guard lock(mutex_);
    return spent_;
  }

  // What `work` changes is not counted: acts of strangers, which are no cut points of ours.
  template <typename Work>
  void uncounted(Work work) {
    set_free(true);
    work();
    set_free(false);
  }

 private:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
  void set_free(bool free) {
    const std::lock_guard lock(mutex_);
    free_ = free;
  }

  mutable std::mutex mutex_;
  std::uint64_t spent_ = 0;
  std::uint64_t last_ = kNever;
  bool free_ = false;
  std::function<void()> gone_;
};

}  // namespace millrace::test
