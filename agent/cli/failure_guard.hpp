// --max-failures: when a batch fails too often to go on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/pipeline/engine.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// Targets that came to a converter's or a file's own verdict. What was skipped says nothing of how
// the rest will fare: a batch that is run again skips most of it.
std::int64_t tried(const Tally& tally);
// Of those, the share that failed; nothing if none was tried.
std::optional<double> failure_share(const Tally& tally);

class FailureGuard {
 public:
  // A share means nothing before this many were tried.
  static constexpr std::int64_t kJudgesFrom = 50;

  // "3", "2%", or nothing for a guard that never trips. Configuration for any other text.
  static Result<FailureGuard> parse(const std::string& text);
  bool tripped(const Tally& tally) const;

 private:
  std::optional<double> share_;
  std::optional<std::int64_t> number_;
};

}  // namespace millrace
