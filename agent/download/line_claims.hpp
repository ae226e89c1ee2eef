// Which lines are being worked on, so that no two ask for one file: twice in a list, or in two
// lists that are fetched into one folder at the same time.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "platform/base/mutex.hpp"

namespace millrace {

// Thread-safe; must outlive every claim.
class LineClaims {
 public:
  // Shared: the copies of a callback hold it too.
  using Claim = std::shared_ptr<const void>;
  // Ours until the last copy of the claim is gone; null while somebody else has it.
  Claim take(const std::string& key) EXCLUDES(mutex_);

 private:
  void give_back(const std::string& key) EXCLUDES(mutex_);

  Mutex mutex_;
  std::set<std::string> taken_ GUARDED_BY(mutex_);
};

}  // namespace millrace
