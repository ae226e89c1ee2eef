// Keeps keys and fetches new ones before they expire.
//
//   nothing kept --fetched--> fresh --fetch_again_at--> due --fetched--> fresh
//                                                        |  --failed---> fresh for kRetryAfter,
//                                                        while |               the keys still hold
//   forget(): nothing kept
//   get() with a time before the last fetch (the clock was put back): due
// One caller fetches; the others get the keys that are kept, or wait if there are none that hold.
#pragma once

#include "agent/s3/credentials_sources.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {

class KeptCredentials final : public CredentialsProvider {
 public:
  static constexpr std::chrono::minutes kFetchBefore{15};  // so long before they expire
  static constexpr std::chrono::minutes kRetryAfter{1};  // a failure, or keys that are due at once
  static constexpr std::chrono::minutes kLookAgain{5};   // at keys that do not expire
  static constexpr std::chrono::seconds kForgetAfter{10};  // younger keys are not fetched anew
  static constexpr std::chrono::minutes kMostBack{1};  // so far callers' times may be out of order

  explicit KeptCredentials(CredentialsSourcePtr source) : source_(std::move(source)) {}

  Result<Credentials> get(WallTime now, std::stop_token stop) override EXCLUDES(mutex_);
  void forget(const Credentials& keys, WallTime now) override EXCLUDES(mutex_);

 private:
  // What is kept, or nothing for the one caller who is to fetch and then to call end_fetch().
  std::optional<Result<Credentials>> begin_fetch(WallTime now, const std::stop_token& stop)
      EXCLUDES(mutex_);
  Result<Credentials> end_fetch(Result<Credentials> fetched, WallTime now) EXCLUDES(mutex_);
  bool is_put_back(WallTime now) const REQUIRES(mutex_);
  bool holds(WallTime now) const REQUIRES(mutex_);

  const CredentialsSourcePtr source_;

  Mutex mutex_;
  CondVar changed_;
  std::optional<Credentials> kept_ GUARDED_BY(mutex_);
  WallTime fetched_at_ GUARDED_BY(mutex_);
  WallTime fetch_again_at_ GUARDED_BY(mutex_);
  bool fetching_ GUARDED_BY(mutex_) = false;
};

}  // namespace millrace
