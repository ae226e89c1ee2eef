// Answers that are kept for a repeated Idempotency-Key, bounded in bytes and in time.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "platform/base/clock.hpp"
#include "platform/base/mutex.hpp"
#include "platform/http/server.hpp"

namespace millrace::serve {

// Thread-safe; blocks for no more than a look at a file.
//
//   (absent) --begin--> in flight --finish--> kept --24 h, no room or its file gone--> (absent)
//                                 --abandon--> (absent)
class IdempotencyCache {
 public:
  struct Limits {
    std::uint64_t bytes = 256'000'000;  // least recently used answers go first
    Duration age = std::chrono::hours{24};
  };
  explicit IdempotencyCache(Limits limits) : limits_(limits) {}

  enum class Claim {
    Begun,     // ours to convert; ends with finish() or abandon()
    InFlight,  // somebody converts it at this moment
    Reused,    // the key stands for other content, target or options
    Replay,    // `answer` holds what was answered before
  };
  struct Claimed {
    Claim claim = Claim::Begun;
    ServerResponse answer;
  };
  // `fingerprint` says what the key stands for.
  Claimed begin(const std::string& key, const std::string& fingerprint, TimePoint now);
  // `bytes` is what the answer takes on disk and in memory. An answer that alone is larger than
  // the cache is not kept.
  void finish(const std::string& key, ServerResponse answer, std::uint64_t bytes, TimePoint now);
  void abandon(const std::string& key);

  struct Usage {
    std::uint64_t bytes = 0;
    std::size_t answers = 0;
  };
  Usage usage() const;

 private:
  struct Entry {
    std::string fingerprint;
    bool in_flight = true;
    ServerResponse answer;
    std::uint64_t bytes = 0;
    TimePoint kept_since{};
    std::list<std::string>::iterator used;  // valid once kept
  };
  using Entries = std::unordered_map<std::string, Entry>;
  void drop(Entries::iterator entry, std::list<ServerResponse>& dropped) REQUIRES(mutex_);

  const Limits limits_;
  mutable Mutex mutex_;
  Entries entries_ GUARDED_BY(mutex_);
  std::list<std::string> used_ GUARDED_BY(mutex_);  // most recently used first
  std::uint64_t bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace::serve
