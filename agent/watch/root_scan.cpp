// The scanning half of a root's thread.
#include <algorithm>
#include <utility>

#include "agent/watch/root_loop.hpp"
#include "agent/watch/version.hpp"
#include "platform/watch/machine_time.hpp"

namespace millrace {
namespace {

constexpr auto kRoomAgain = std::chrono::milliseconds{200};
constexpr std::size_t kMostRefused = 10'000;
// Events are drained at least this often while a scan finds nothing new.
constexpr std::uint64_t kFilesPerServe = 4096;

}  // namespace

void RootLoop::scan_what_is_due() {
  const TimePoint now = clock_.now();
  if (whole_.is_due(now)) {
    lost_below_.clear();
    return scan("", whole_);
  }
  if (!parts_.is_due(now)) return;
  const auto below = std::exchange(lost_below_, {});
  parts_.begin();
  for (const Name& name : below) {
    if (!ended_ && !stop_.stop_requested()) scan(name, parts_);
  }
}

void RootLoop::scan(const Name& below, Pacer& pacer) {
  const bool whole = below.empty();
  const Duration cpu_before = thread_cpu_time();
  const TimePoint start = clock_.now();
  scan_.emplace();
  scan_->root = settings_.index;
  scan_->below = below;
  pacer.begin();
  set_state(RootState::Scanning, limit_);
  if (whole) {
    board_.begin_sweep();
    placeholders_.begin_scan();
  }
  auto completeness = scan_tree(*directory_, filter_, below, *this);
  if (!ended_ && !stop_.stop_requested()) flush_scanned();
  const Duration cpu = thread_cpu_time() - cpu_before;
  pacer.end(clock_.now(), cpu);
  if (!completeness && (whole || completeness.error().kind != ErrorKind::Vanished)) {
    root_is_there();
    if (whole && !ended_) ended_ = completeness.error();
  }
  if (!ended_ && !stop_.stop_requested()) {
    finish_scan(completeness.value_or(Completeness::Partial), start, cpu);
  }
  scan_.reset();
  board_.is_back();
}

void RootLoop::finish_scan(Completeness completeness, TimePoint start, Duration cpu) {
  const TimePoint now = clock_.now();
  ScanReport& report = *scan_;
  report.completeness = completeness;
  report.took = now - start;
  report.cpu = cpu;
  hand_over();
  if (report.below.empty()) {
    // A folder that could not be read may still hold what is acknowledged.
    if (completeness == Completeness::Whole) board_.sweep();
    std::uniform_real_distribution<double> jitter(0.9, 1.1);
    rescan_at_ =
        now + std::chrono::duration_cast<Duration>(settings_.rescan_every * jitter(random_));
    health_.last_scan = clock_.wall_now();
    health_.files_seen = report.files;
    health_.refused = report.refused;
    ++health_.scans;
    listed_ = true;
  }
  set_state(RootState::Watching, limit_);
  board_.is_back();
  sink_.scan_finished(report);
}

Visit RootLoop::file(const Name& name, const FileInfo& info) {
  ScanReport& report = *scan_;
  ++report.files;
  if (report.files % kFilesPerServe == 0) serve();
  std::string version = version_text(info, kind_.nature);
  if (!board_.is_acknowledged(name, version)) {
    scanned_.push_back(
        {observation_of(name, info, Evidence::Found), std::move(version), info.placeholder});
  }
  if (scanned_.size() >= RootSink::kMostObservations) return flush_scanned();
  return ended_ || stop_.stop_requested() ? Visit::Stop : Visit::Continue;
}

Visit RootLoop::refused(const Name& name, std::string reason) {
  ++scan_->refused;
  report_refused(name, std::move(reason));
  return ended_ || stop_.stop_requested() ? Visit::Stop : Visit::Continue;
}

Visit RootLoop::left_out(const Name&) {
  ++scan_->left_out;
  return ended_ || stop_.stop_requested() ? Visit::Stop : Visit::Continue;
}

void RootLoop::still_alive() { board_.expect_back(clock_.now()); }

Visit RootLoop::flush_scanned() {
  std::vector<SeenVersion> asked;
  asked.reserve(scanned_.size());
  for (const Scanned& one : scanned_) asked.push_back({one.seen.name, one.version});
  board_.is_back();
  const std::vector<bool> known = sink_.known(settings_.index, asked);
  std::vector<Observation> fresh;
  for (std::size_t i = 0; i < scanned_.size(); ++i) {
    if (i < known.size() && known[i]) {
      board_.acknowledge(asked[i].name, asked[i].version);
    } else if (scanned_[i].placeholder) {
      placeholders_.saw(asked[i].name, clock_.now());
    } else {
      fresh.push_back(std::move(scanned_[i].seen));
    }
  }
  scanned_.clear();
  if (!fresh.empty()) wait_for_room();
  if (ended_ || stop_.stop_requested()) return Visit::Stop;
  scan_->reported += fresh.size();
  if (!fresh.empty()) sink_.observed(std::move(fresh));
  serve();
  return ended_ || stop_.stop_requested() ? Visit::Stop : Visit::Continue;
}

void RootLoop::wait_for_room() {
  while (!ended_ && !stop_.stop_requested() && !sink_.has_room(settings_.index)) {
    answer_probes();
    if (!ended_) listen(clock_.now() + kRoomAgain);
  }
}

void RootLoop::report_refused(const Name& name, std::string reason) {
  const auto told = refused_.find(name);
  if (told != refused_.end() && told->second == reason) return;
  if (told == refused_.end() && refused_.size() >= kMostRefused) refused_.clear();
  refused_[name] = reason;
  new_refused_.push_back({name, std::move(reason)});
  if (new_refused_.size() >= RootSink::kMostObservations) hand_over();
}

}  // namespace millrace
