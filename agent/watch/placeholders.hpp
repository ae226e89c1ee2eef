// Files whose names are here and whose bytes are not: a cloud drive would have to fetch them (macOS
// SF_DATALESS, Windows FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS). Reading one downloads it, or fails
// with EDEADLK where the system forbids that, so they are left out: an inbox in such a drive would
// otherwise be downloaded whole. What one root holds of them is told in one warning.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "agent/job/candidate.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

struct LeftInCloud {
  std::size_t files = 0;  // of the root, at most Placeholders::kMost are counted
  Name example;           // one of them
};

// For people: how many, why, and what to do.
std::string to_text(const LeftInCloud& left);

// The error of a call that would have had to fetch the bytes first.
bool means_placeholder(const Error& error);

// Of one root. Single-threaded; reads no clock and no disk.
class Placeholders {
 public:
  static constexpr std::size_t kMost = 10'000;

  // The first one is told after `gather`, together with those that came meanwhile.
  explicit Placeholders(Duration gather) : gather_(gather) {}

  void saw(const Name& name, TimePoint now);
  void forget(const Name& name);  // its bytes have come, or it is gone
  // Forgets what was not seen since the scan before began.
  void begin_scan();
  std::size_t count() const { return names_.size(); }

  std::optional<TimePoint> due() const { return due_; }
  // The warning, once it is due; again when there are twice as many, or some after there were none.
  std::optional<LeftInCloud> take_due(TimePoint now);

 private:
  void settle_count();

  const Duration gather_;
  std::map<Name, std::size_t> names_;  // with the scan since whose beginning they were seen
  std::size_t scan_ = 0;
  std::size_t told_ = 0;
  std::optional<TimePoint> due_;
};

}  // namespace millrace
