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

// The ledger's count of what waits is a moment older than the tally, so that the two together tell
// of a few files too many: the least that was told since everything was seen is nearest to the
// truth. One thread.
class WholeBatch {
 public:
  // The same with what waits set right; to be asked with every standing.
  Standing correct(Standing standing);

 private:
  std::optional<std::int64_t> least_;
};

// One line; `per_second` is how fast files end now.
std::string progress_text(const Standing& standing, std::optional<double> per_second);

class Progress {
 public:
  explicit Progress(bool json);
  // To be called a few times a second; shows what it is told now and then.
  void show(const Standing& told, TimePoint now);
  void show(const Tally& tally, std::int64_t waiting, TimePoint now);
  void finish();  // clears the line

 private:
  const bool json_;
  const bool terminal_;
  bool drawn_ = false;
  RecentRate rate_;
  WholeBatch whole_;
  TimePoint next_{};
  bool began_ = false;
};

}  // namespace millrace
