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
#include "platform/base/mutex.hpp"
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

// Of one root: its thread tells, any thread may ask. Reads no clock and no disk.
class Placeholders {
 public:
  static constexpr std::size_t kMost = 10'000;

  // The first one is told after `gather`, together with those that came meanwhile.
  explicit Placeholders(Duration gather) : gather_(gather) {}

  void saw(const Name& name, TimePoint now) EXCLUDES(mutex_);
  void forget(const Name& name) EXCLUDES(mutex_);  // its bytes have come, or it is gone
  // Forgets what was not seen since the scan before began.
  void begin_scan() EXCLUDES(mutex_);
  std::size_t count() const EXCLUDES(mutex_);
  bool holds(const Name& name) const EXCLUDES(mutex_);

  std::optional<TimePoint> due() const EXCLUDES(mutex_);
  // The warning, once it is due; again when there are twice as many, or some after there were none.
  std::optional<LeftInCloud> take_due(TimePoint now) EXCLUDES(mutex_);

 private:
  void settle_count() REQUIRES(mutex_);

  const Duration gather_;
  mutable Mutex mutex_;
  // With the scan since whose beginning they were seen.
  std::map<Name, std::size_t> names_ GUARDED_BY(mutex_);
  std::size_t scan_ GUARDED_BY(mutex_) = 0;
  std::size_t told_ GUARDED_BY(mutex_) = 0;
  std::optional<TimePoint> due_ GUARDED_BY(mutex_);
};

}  // namespace millrace
