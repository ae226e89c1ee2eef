// Results that are paid for and whole, but could not be published yet (the outbox went away between
// two calls). Their temporary files wait for the next try of their job.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "agent/deliver/outbox.hpp"
#include "agent/ledger/ledger.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {

struct KeptResult {
  OutputRecord output;
  Name temporary_name;
  std::optional<OutputIdentity> replaces;  // what it may be put over
};

// Thread-safe, of this run. The next one finds them in the ledger (JobEnd::result_kept).
class KeptResults {
 public:
  void keep(JobId job, KeptResult result) {
    const MutexLock lock(mutex_);
    results_.insert_or_assign(job, std::move(result));
  }
  bool holds(JobId job) {
    const MutexLock lock(mutex_);
    return results_.contains(job);
  }
  std::optional<KeptResult> take(JobId job) {
    const MutexLock lock(mutex_);
    const auto found = results_.find(job);
    if (found == results_.end()) return std::nullopt;
    std::optional<KeptResult> result = std::move(found->second);
    results_.erase(found);
    return result;
  }

 private:
  Mutex mutex_;
  std::map<JobId, KeptResult> results_ GUARDED_BY(mutex_);
};

}  // namespace millrace
