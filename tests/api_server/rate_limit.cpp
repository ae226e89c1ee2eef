#include "tests/api_server/rate_limit.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace millrace::test {

std::optional<RateLimit> RateLimit::parse(std::string_view text, RateSemantics semantics) {
  const auto slash = text.find('/');
  const std::int64_t limit = std::strtoll(std::string(text).c_str(), nullptr, 10);
  if (slash == std::string_view::npos || limit <= 0) return std::nullopt;
  const std::string_view unit = text.substr(slash + 1);
  if (unit == "s") return RateLimit(limit, std::chrono::seconds{1}, semantics);
  if (unit == "m") return RateLimit(limit, std::chrono::minutes{1}, semantics);
  return std::nullopt;
}

RateVerdict RateLimit::ask(TimePoint now) {
  switch (semantics_) {
    case RateSemantics::Fixed:
      return ask_fixed(now);
    case RateSemantics::Sliding:
      return ask_sliding(now);
    case RateSemantics::Bucket:
      return ask_bucket(now);
  }
  return {};
}

RateVerdict RateLimit::ask_fixed(TimePoint now) {
  if (!begin_ || now >= *begin_ + window_) {
    begin_ = now;
    used_ = 0;
  }
  const Duration reset = *begin_ + window_ - now;
  if (used_ >= limit_) return {false, 0, reset};
  ++used_;
  return {true, limit_ - used_, reset};
}

RateVerdict RateLimit::ask_sliding(TimePoint now) {
  while (!times_.empty() && times_.front() + window_ <= now) times_.pop_front();
  if (std::ssize(times_) >= limit_) return {false, 0, times_.front() + window_ - now};
  times_.push_back(now);
  return {true, limit_ - std::ssize(times_), times_.front() + window_ - now};
}

RateVerdict RateLimit::ask_bucket(TimePoint now) {
  const double per_token = static_cast<double>(window_.count()) / static_cast<double>(limit_);
  if (begin_) tokens_ += static_cast<double>((now - *begin_).count()) / per_token;
  begin_ = now;
  tokens_ = std::min(tokens_, static_cast<double>(limit_));
  if (tokens_ < 1) {
    return {false, 0, Duration{static_cast<std::int64_t>((1 - tokens_) * per_token)}};
  }
  tokens_ -= 1;
  return {true, static_cast<std::int64_t>(tokens_),
          Duration{static_cast<std::int64_t>((static_cast<double>(limit_) - tokens_) * per_token)}};
}

}  // namespace millrace::test
