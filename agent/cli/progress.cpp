#include "agent/cli/progress.hpp"

#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/cli/text_view.hpp"
#include "platform/host/host.hpp"

namespace millrace {
namespace {

constexpr Duration kOnTerminal = std::chrono::milliseconds{200};
constexpr Duration kElsewhere = std::chrono::seconds{10};
constexpr Duration kJson = std::chrono::seconds{1};

}  // namespace

Progress::Progress(bool json) : json_(json), terminal_(is_terminal(2)) {}

void Progress::show(const Tally& tally, std::int64_t waiting, TimePoint now) {
  if (!began_) began_ = now;
  if (next_ == TimePoint{}) next_ = now + (terminal_ || json_ ? Duration{0} : kElsewhere);
  if (now < next_) return;
  next_ = now + (json_ ? kJson : terminal_ ? kOnTerminal : kElsewhere);
  if (json_) {
    std::cout << nlohmann::json{{"type", "progress"},
                                {"delivered", tally.delivered},
                                {"skipped", tally.skipped},
                                {"failed", tally.failed},
                                {"waiting", waiting}}
              << std::endl;
    return;
  }
  std::string text = line(tally, waiting, now);
  if (terminal_) {
    const auto width = static_cast<std::size_t>(terminal_width());
    if (text.size() >= width) text.resize(width - 1);
    std::cerr << "\r\033[K" << text << std::flush;
    drawn_ = true;
  } else {
    std::cerr << text << std::endl;
  }
}

void Progress::finish() {
  if (drawn_) std::cerr << "\r\033[K" << std::flush;
}

std::string Progress::line(const Tally& tally, std::int64_t waiting, TimePoint now) const {
  const double seconds = std::chrono::duration<double>(now - *began_).count();
  const double rate = seconds > 0.5 ? static_cast<double>(tally.ended()) / seconds : 0;
  std::string text =
      std::to_string(tally.ended()) + " of " + std::to_string(tally.ended() + waiting) + " files";
  if (tally.failed > 0) text += ", " + std::to_string(tally.failed) + " failed";
  if (rate > 0) {
    text += ", " + std::to_string(static_cast<std::int64_t>(rate * 60)) + " a minute";
    const auto left = std::chrono::duration<double>(static_cast<double>(waiting) / rate);
    if (waiting > 0) {
      text += ", " + rough_duration(std::chrono::duration_cast<Duration>(left)) + " left";
    }
  }
  return text;
}

}  // namespace millrace
