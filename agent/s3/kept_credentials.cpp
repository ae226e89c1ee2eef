#include "agent/s3/kept_credentials.hpp"

#include <algorithm>

namespace millrace {
namespace {

constexpr std::chrono::milliseconds kLookForStop{50};

WallTime due_at(const Credentials& keys, WallTime now) {
  if (!keys.expires) return now + KeptCredentials::kLookAgain;
  return std::max<WallTime>(*keys.expires - KeptCredentials::kFetchBefore,
                            now + KeptCredentials::kRetryAfter);
}

}  // namespace

// What was reckoned with the time before says nothing now: the first answer of a server may teach
// that this machine's clock is hours ahead.
bool KeptCredentials::is_put_back(WallTime now) const { return now < fetched_at_ - kMostBack; }

bool KeptCredentials::holds(WallTime now) const {
  return kept_ && (!kept_->expires || now < *kept_->expires);
}

std::optional<Result<Credentials>> KeptCredentials::begin_fetch(WallTime now,
                                                                const std::stop_token& stop) {
  MutexLock lock(mutex_);
  for (;;) {
    const bool fresh = now < fetch_again_at_ && !is_put_back(now);
    if (kept_ && (fresh || (fetching_ && holds(now)))) return *kept_;
    if (!fetching_) break;
    if (stop.stop_requested()) return fail(ErrorKind::Stopped, "stopped while waiting for keys");
    changed_.wait_until(lock, std::chrono::steady_clock::now() + kLookForStop);
  }
  fetching_ = true;
  return std::nullopt;
}

Result<Credentials> KeptCredentials::end_fetch(Result<Credentials> fetched, WallTime now) {
  const MutexLock lock(mutex_);
  fetching_ = false;
  changed_.notify_all();
  if (fetched) {
    // Even keys that have expired: a metadata service in trouble hands on the last ones that it
    // had, and their server may still take them.
    kept_ = *fetched;
    fetched_at_ = now;
    fetch_again_at_ = due_at(*kept_, now);
    return fetched;
  }
  if (!holds(now)) return fetched;
  fetched_at_ = std::min(fetched_at_, now);
  fetch_again_at_ = now + kRetryAfter;
  return *kept_;
}

Result<Credentials> KeptCredentials::get(WallTime now, std::stop_token stop) {
  if (auto kept = begin_fetch(now, stop)) return std::move(*kept);
  return end_fetch(source_->fetch(now, std::move(stop)), now);
}

void KeptCredentials::forget(const Credentials& keys, WallTime now) {
  const MutexLock lock(mutex_);
  const bool same = kept_ && kept_->access_key_id == keys.access_key_id &&
                    kept_->secret_access_key == keys.secret_access_key &&
                    kept_->session_token == keys.session_token;
  if (same && (now >= fetched_at_ + kForgetAfter || is_put_back(now))) kept_.reset();
}

}  // namespace millrace
