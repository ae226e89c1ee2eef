// What could not be done with sources (archive, delete, quarantine): tried again by workers of the
// same folder, one at the end of a job. What is left when the agent stops is the next start's.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "agent/ledger/ledger.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {

// Thread-safe.
class FailedActions {
 public:
  static constexpr Duration kPause = std::chrono::minutes{10};  // between two tries at one source
  static constexpr std::size_t kMost = 1000;  // of a folder; more wait for a start

  void add(const SourceSummary& summary, TimePoint now) {
    const MutexLock lock(mutex_);
    auto& waiting = folders_[summary.candidate.folder];
    if (waiting.size() < kMost) waiting.push_back({now + kPause, summary});
  }
  // The one that waits longest, if it is due; no longer kept here.
  std::optional<SourceSummary> take(const std::string& folder, TimePoint now) {
    const MutexLock lock(mutex_);
    const auto found = folders_.find(folder);
    if (found == folders_.end()) return std::nullopt;
    auto& waiting = found->second;
    if (waiting.empty() || waiting.front().due > now) return std::nullopt;
    std::optional<SourceSummary> taken = std::move(waiting.front().summary);
    waiting.pop_front();
    return taken;
  }
  // The folder is configured no more.
  void drop(const std::string& folder) {
    const MutexLock lock(mutex_);
    folders_.erase(folder);
  }

 private:
  struct Waiting {
    TimePoint due;
    SourceSummary summary;
  };

  Mutex mutex_;
  std::map<std::string, std::deque<Waiting>> folders_ GUARDED_BY(mutex_);
};

}  // namespace millrace
