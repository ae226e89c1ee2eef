#include "agent/cli/progress.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/cli/failure_guard.hpp"
#include "agent/cli/text_view.hpp"
#include "platform/host/host.hpp"

namespace millrace {
namespace {

constexpr Duration kOnTerminal = std::chrono::milliseconds{200};
constexpr Duration kElsewhere = std::chrono::seconds{10};
constexpr Duration kJson = std::chrono::seconds{1};

std::int64_t done(const Standing& standing) {
  return standing.tally.ended() + standing.done_before;
}

std::optional<Duration> time_left(const Standing& standing, std::optional<double> per_second) {
  if (!per_second || standing.waiting == 0) return std::nullopt;
  const std::chrono::duration<double> left(static_cast<double>(standing.waiting) / *per_second);
  return std::chrono::duration_cast<Duration>(left);
}

nlohmann::json progress_json(const Standing& standing, std::optional<double> per_second) {
  nlohmann::json json{{"type", "progress"},
                      {"delivered", standing.tally.delivered},
                      {"skipped", standing.tally.skipped + standing.done_before},
                      {"failed", standing.tally.failed},
                      {"waiting", standing.waiting},
                      {"done", done(standing)},
                      {"total", done(standing) + standing.waiting},
                      {"all_seen", standing.all_seen}};
  if (per_second) json["per_second"] = *per_second;
  if (const auto left = time_left(standing, per_second))
    json["seconds_left"] = std::ceil(std::chrono::duration<double>(*left).count());
  if (const auto share = failure_share(standing.tally)) json["failure_share"] = *share;
  if (standing.p95) json["p95_ms"] = milliseconds_of(*standing.p95);
  return json;
}

}  // namespace

std::string progress_text(const Standing& standing, std::optional<double> per_second) {
  std::string text = std::to_string(done(standing)) + " of " +
                     std::to_string(done(standing) + standing.waiting) +
                     (standing.all_seen ? " files" : "+ files");
  if (standing.tally.failed > 0) {
    text += ", " + std::to_string(standing.tally.failed) + " failed (" +
            share_text(failure_share(standing.tally).value_or(0)) + ")";
  }
  if (per_second) text += ", " + a_minute_text(*per_second);
  if (const auto left = time_left(standing, per_second))
    text += ", " + rough_duration(*left) + " left";
  if (standing.p95) text += ", p95 " + latency_text(*standing.p95);
  return text;
}

Progress::Progress(bool json) : json_(json), terminal_(is_terminal(2)) {}

void Progress::show(const Tally& tally, std::int64_t waiting, TimePoint now) {
  Standing standing;
  standing.tally = tally;
  standing.waiting = waiting;
  show(standing, now);
}

Standing WholeBatch::correct(Standing standing) {
  if (!standing.all_seen) {
    least_.reset();
    return standing;
  }
  const std::int64_t told = done(standing) + standing.waiting;
  least_ = std::min(least_.value_or(told), told);
  standing.waiting = std::max<std::int64_t>(*least_ - done(standing), 0);
  return standing;
}

void Progress::show(const Standing& told, TimePoint now) {
  const Standing standing = whole_.correct(told);
  rate_.note(standing.tally.ended(), now);
  if (!began_ && !terminal_ && !json_) next_ = now + kElsewhere;
  began_ = true;
  if (now < next_) return;
  next_ = now + (json_ ? kJson : terminal_ ? kOnTerminal : kElsewhere);
  if (json_) {
    std::cout << progress_json(standing, rate_.per_second()) << std::endl;
    return;
  }
  std::string text = progress_text(standing, rate_.per_second());
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

}  // namespace millrace
