// Progress of a batch on stderr: a line that is drawn over on a terminal, a line every so often
// elsewhere, JSON lines on stdout with --json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/cli/recent_rate.hpp"
#include "agent/pipeline/engine.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

// How far a batch has come.
struct Standing {
  Tally tally = {};
  std::int64_t waiting = 0;
  std::int64_t done_before = 0;  // found done, at no time worth a rate
  bool all_seen = true;          // false: there may be more than was seen so far
  std::optional<Duration> p95;   // of conversions
};

// One line; `per_second` is how fast files end now.
std::string progress_text(const Standing& standing, std::optional<double> per_second);

class Progress {
 public:
  explicit Progress(bool json);
  // When show() would be silent, what it shows need not be found out.
  bool due(TimePoint now) const { return now >= next_; }
  void show(const Standing& standing, TimePoint now);
  void show(const Tally& tally, std::int64_t waiting, TimePoint now);
  void finish();  // clears the line

 private:
  const bool json_;
  const bool terminal_;
  bool drawn_ = false;
  RecentRate rate_;
  TimePoint next_{};
  bool began_ = false;
};

}  // namespace millrace
