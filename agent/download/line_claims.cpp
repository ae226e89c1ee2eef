#include "agent/download/line_claims.hpp"

namespace millrace {

LineClaims::Claim LineClaims::take(const std::string& key) {
  const MutexLock lock(mutex_);
  if (!taken_.insert(key).second) return nullptr;
  return {this, [this, key](const void*) { give_back(key); }};
}

void LineClaims::give_back(const std::string& key) {
  if (on_end_) on_end_(key);
  const MutexLock lock(mutex_);
  taken_.erase(key);
}

}  // namespace millrace
