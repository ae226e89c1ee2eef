#include "agent/cli/failure_guard.hpp"

#include <charconv>

#include "config/values.hpp"

namespace millrace {

std::int64_t tried(const Tally& tally) { return tally.delivered + tally.failed; }

std::optional<double> failure_share(const Tally& tally) {
  if (tried(tally) == 0) return std::nullopt;
  return static_cast<double>(tally.failed) / static_cast<double>(tried(tally));
}

Result<FailureGuard> FailureGuard::parse(const std::string& text) {
  FailureGuard guard;
  if (text.empty()) return guard;
  if (text.ends_with('%')) {
    guard.share_ = parse_share(text);
    if (guard.share_) return guard;
  }
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem == std::errc{} && end == text.data() + text.size() && number >= 0) {
    guard.number_ = number;
    return guard;
  }
  return fail(ErrorKind::Configuration, "--max-failures must be a number or a share such as 2%");
}

bool FailureGuard::tripped(const Tally& tally) const {
  if (number_ && tally.failed > *number_) return true;
  return share_ && tried(tally) >= kJudgesFrom && *failure_share(tally) > *share_;
}

}  // namespace millrace
