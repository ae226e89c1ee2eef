// The time of a server, learnt from the Date of its answers: what is signed holds for 15 minutes
// around it, whatever this machine's clock says.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "platform/base/clock.hpp"

namespace millrace {

// Thread-safe; never blocks.
class ServerClock {
 public:
  // A smaller difference is the way of the answer and the whole seconds of a Date, and no offset.
  static constexpr std::chrono::seconds kSmallest{60};

  // What is to be added to this machine's time.
  std::chrono::seconds offset() const {
    return std::chrono::seconds{offset_.load(std::memory_order_relaxed)};
  }
  // Whether what was signed with this offset, and refused for its time, is worth signing again.
  bool differs_from(std::chrono::seconds before) const {
    return std::chrono::abs(before - offset()) >= kSmallest;
  }
  // An answer with this Date came at `local`. A Date that cannot be read teaches nothing.
  void learn(std::string_view date, WallTime local);

 private:
  std::atomic<std::int64_t> offset_{0};  // seconds; stands alone
};

}  // namespace millrace
