#include "agent/serve/idempotency_cache.hpp"

#include <filesystem>
#include <system_error>

namespace millrace::serve {
namespace {

constexpr std::uint64_t kEntryCost = 1024;  // key, fingerprint and nodes

// Who tidies a folder of temporary files may have taken it away.
bool has_its_file(const ServerResponse& answer) {
  std::error_code ignored;
  return answer.body_file.empty() || std::filesystem::exists(answer.body_file, ignored);
}

}  // namespace

// Dropped answers own files: they are let go of by the caller, after the lock.
void IdempotencyCache::drop(Entries::iterator entry, std::list<ServerResponse>& dropped) {
  bytes_ -= entry->second.bytes;
  used_.erase(entry->second.used);
  dropped.push_back(std::move(entry->second.answer));
  entries_.erase(entry);
}

IdempotencyCache::Claimed IdempotencyCache::begin(const std::string& key,
                                                  const std::string& fingerprint, TimePoint now) {
  std::list<ServerResponse> dropped;
  const MutexLock lock(mutex_);
  auto at = entries_.find(key);
  if (at != entries_.end() && !at->second.in_flight && now - at->second.kept_since > limits_.age) {
    drop(at, dropped);
    at = entries_.end();
  }
  if (at == entries_.end()) {
    entries_[key].fingerprint = fingerprint;
    return {};
  }
  Entry& entry = at->second;
  if (entry.fingerprint != fingerprint) return {Claim::Reused, {}};
  if (entry.in_flight) return {Claim::InFlight, {}};
  if (!has_its_file(entry.answer)) {
    drop(at, dropped);
    entries_[key].fingerprint = fingerprint;
    return {};
  }
  used_.splice(used_.begin(), used_, entry.used);
  return {Claim::Replay, entry.answer};
}

void IdempotencyCache::finish(const std::string& key, ServerResponse answer, std::uint64_t bytes,
                              TimePoint now) {
  std::list<ServerResponse> dropped;
  const MutexLock lock(mutex_);
  const auto at = entries_.find(key);
  if (at == entries_.end() || !at->second.in_flight) return;
  bytes += kEntryCost;
  if (bytes > limits_.bytes) {
    entries_.erase(at);
    return;
  }
  while (bytes_ + bytes > limits_.bytes) drop(entries_.find(used_.back()), dropped);
  bytes_ += bytes;
  used_.push_front(key);
  Entry& entry = at->second;
  entry.in_flight = false;
  entry.answer = std::move(answer);
  entry.bytes = bytes;
  entry.kept_since = now;
  entry.used = used_.begin();
}

void IdempotencyCache::abandon(const std::string& key) {
  const MutexLock lock(mutex_);
  const auto at = entries_.find(key);
  if (at != entries_.end() && at->second.in_flight) entries_.erase(at);
}

IdempotencyCache::Usage IdempotencyCache::usage() const {
  const MutexLock lock(mutex_);
  return {bytes_, used_.size()};
}

}  // namespace millrace::serve
