// Progress of a batch on stderr: a line that is drawn over on a terminal, a line every so often
// elsewhere, JSON lines on stdout with --json.
#pragma once

#include <cstdint>
#include <optional>

#include "agent/pipeline/engine.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

class Progress {
 public:
  explicit Progress(bool json);
  void show(const Tally& tally, std::int64_t waiting, TimePoint now);
  void finish();  // clears the line

 private:
  std::string line(const Tally& tally, std::int64_t waiting, TimePoint now) const;

  const bool json_;
  const bool terminal_;
  bool drawn_ = false;
  std::optional<TimePoint> began_;
  TimePoint next_{};
};

}  // namespace millrace
