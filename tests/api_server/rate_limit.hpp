// Three ways in which conversion services count requests. Time is an argument.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "platform/base/clock.hpp"

namespace millrace::test {

enum class RateSemantics {
  Fixed,    // N in each window, windows begin with the first request after the last one's end
  Sliding,  // N in any stretch of one window
  Bucket,   // N at once, refilled evenly over one window
};

struct RateVerdict {
  bool allowed = true;
  std::int64_t remaining = 0;
  Duration reset{0};  // until the next request would be allowed (refused), or the window is fresh
};

class RateLimit {
 public:
  RateLimit(std::int64_t limit, Duration window, RateSemantics semantics)
      : limit_(limit),
        window_(window),
        semantics_(semantics),
        tokens_(static_cast<double>(limit)) {}
  // "10/s" or "10/m"; nothing if it reads otherwise.
  static std::optional<RateLimit> parse(std::string_view text, RateSemantics semantics);

  RateVerdict ask(TimePoint now);
  std::int64_t limit() const { return limit_; }

 private:
  RateVerdict ask_fixed(TimePoint now);
  RateVerdict ask_sliding(TimePoint now);
  RateVerdict ask_bucket(TimePoint now);

  std::int64_t limit_;
  Duration window_;
  RateSemantics semantics_;
  std::optional<TimePoint> begin_;
  std::int64_t used_ = 0;
  std::deque<TimePoint> times_;
  double tokens_;
};

}  // namespace millrace::test
