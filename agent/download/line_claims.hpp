// Which lines are being worked on, so that no two ask for one file: twice in a list, or in two
// lists that are fetched into one folder at the same time.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "platform/base/mutex.hpp"

namespace millrace {

// Thread-safe; must outlive every claim.
class LineClaims {
 public:
  // `on_end` is called with the key before somebody else may take it.
  explicit LineClaims(std::function<void(const std::string&)> on_end = {})
      : on_end_(std::move(on_end)) {}
  // Shared: the copies of a callback hold it too.
  using Claim = std::shared_ptr<const void>;
  // Ours until the last copy of the claim is gone; null while somebody else has it.
  Claim take(const std::string& key) EXCLUDES(mutex_);

 private:
  void give_back(const std::string& key) EXCLUDES(mutex_);

  const std::function<void(const std::string&)> on_end_;
  Mutex mutex_;
  std::set<std::string> taken_ GUARDED_BY(mutex_);
};

}  // namespace millrace
