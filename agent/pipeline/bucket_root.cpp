#include "agent/pipeline/bucket_root.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "config/values.hpp"
#include "platform/base/thread.hpp"

namespace millrace {
namespace {

// How often the sink is asked whether it has room.
constexpr Duration kAskForRoom = std::chrono::milliseconds{200};
constexpr std::size_t kProbesAtOnce = 32;
// A request each; a listing tells of a thousand with one.
constexpr std::size_t kMostHints = 5000;

// A store that is away or busy comes back by itself.
bool asks_for_person(ErrorKind kind) {
  return kind == ErrorKind::Configuration || kind == ErrorKind::Environment ||
         kind == ErrorKind::Vanished;
}

}  // namespace

BucketRoot::BucketRoot(BucketRootSettings settings, BucketViews views, Ledger& ledger,
                       const Clock& clock, RootSink& sink)
    : settings_(std::move(settings)),
      views_(std::move(views)),
      filter_(settings_.names),
      ledger_(ledger),
      clock_(clock),
      sink_(sink) {
  health_.nature = RootNature::Remote;
  health_.how = "listed every " + duration_text(settings_.poll);
}

void BucketRoot::start() {
  thread_ = start_thread("root " + settings_.folder, [this](const std::stop_token& stop) {
    const std::stop_callback waker(stop, [this] { board_.wake(); });
    run(stop);
    board_.set_stopped();
  });
}

void BucketRoot::hint(const Name& name) {
  if (board_.probes() >= kMostHints) {
    board_.want_rescan(Haste::Now);
  } else {
    board_.post_probes({{settings_.index, name}});
  }
}

RootHealth BucketRoot::health() const { return board_.health(clock_.now(), Duration::max()); }

void BucketRoot::run(const std::stop_token& stop) {
  TimePoint due = clock_.now();
  while (!stop.stop_requested()) {
    answer_probes(stop);
    if (board_.take_rescan() == Haste::Now) due = clock_.now();
    if (clock_.now() < due) {
      board_.sleep_until(due);
      continue;
    }
    const auto scanned = scan(stop);
    if (stop.stop_requested()) return;
    if (scanned) {
      retry_ = Duration::zero();
      due = clock_.now() + settings_.poll;
      set_state(RootState::Watching);
    } else {
      retry_ = std::clamp(retry_ * 2, settings_.first_retry, settings_.longest_retry);
      due = clock_.now() + retry_;
      set_state(RootState::Offline, &scanned.error());
    }
  }
}

Result<void> BucketRoot::scan(const std::stop_token& stop) {
  if (health_.state != RootState::Offline) set_state(RootState::Scanning);
  const TimePoint began = clock_.now();
  report_ = ScanReport{};
  report_.root = settings_.index;
  known_ = 0;
  const auto sources = views_.sources(
      [this](const Name& name) {
        const bool wanted = !filter_.why_not(name);
        if (!wanted) ++report_.left_out;
        return wanted;
      },
      stop);
  const auto done = views_.results ? hand_on_missing(*sources, stop) : hand_on_new(*sources, stop);
  if (!done) return done;
  report_.took = clock_.now() - began;
  health_.last_scan = clock_.wall_now();
  ++health_.scans;
  health_.files_seen = report_.files;
  health_.done_before = report_.files - known_ - report_.reported;
  sink_.scan_finished(report_);
  return {};
}

Result<void> BucketRoot::hand_on_missing(SourceListing& sources, const std::stop_token& stop) {
  const auto results = views_.results(stop);
  MissingResults walk(sources, *results, settings_.walk,
                      [this](std::span<const Candidate> some) { return choose(some); });
  for (;;) {
    auto some = walk.next();
    if (!some) return std::unexpected(some.error());
    if (some->empty()) return {};
    if (auto done = hand_on(std::move(*some), stop); !done) return done;
  }
}

Result<void> BucketRoot::hand_on_new(SourceListing& sources, const std::stop_token& stop) {
  for (;;) {
    auto page = sources.next_page();
    if (!page) return std::unexpected(page.error());
    if (page->empty()) return {};
    const auto wanted = choose(*page);
    if (!wanted) return std::unexpected(wanted.error());
    std::vector<Candidate> fresh;
    for (std::size_t i = 0; i < page->size(); ++i)
      if ((*wanted)[i] != Wanted::No) fresh.push_back(std::move((*page)[i]));
    if (auto done = hand_on(std::move(fresh), stop); !done) return done;
  }
}

Result<std::vector<Wanted>> BucketRoot::choose(std::span<const Candidate> sources) {
  std::vector<Wanted> answers;
  answers.reserve(sources.size());
  while (answers.size() < sources.size()) {
    const auto some = sources.subspan(
        answers.size(), std::min(RootSink::kMostObservations, sources.size() - answers.size()));
    const auto known = ledger_.look_up_all(some);
    if (!known) return std::unexpected(known.error());
    for (const Known one : *known) {
      const bool has_it = one == Known::Waiting || one == Known::Done;
      known_ += has_it ? 1 : 0;
      answers.push_back(has_it ? Wanted::No : one == Known::New ? Wanted::IfMissing : Wanted::Yes);
    }
  }
  report_.files += sources.size();
  return answers;
}

// Waits for room, and answers probes meanwhile.
Result<void> BucketRoot::hand_on(std::vector<Candidate> versions, const std::stop_token& stop) {
  report_.reported += versions.size();
  for (std::size_t at = 0; at < versions.size();) {
    while (!sink_.has_room(settings_.index)) {
      if (stop.stop_requested()) return fail(ErrorKind::Stopped, "stopped");
      answer_probes(stop);
      board_.sleep_until(clock_.now() + kAskForRoom);
    }
    const auto count = std::min(RootSink::kMostObservations, versions.size() - at);
    const auto first = std::make_move_iterator(versions.begin() + static_cast<std::ptrdiff_t>(at));
    sink_.whole(settings_.index, {first, first + static_cast<std::ptrdiff_t>(count)});
    at += count;
  }
  return {};
}

void BucketRoot::answer_probes(const std::stop_token& stop) {
  while (board_.has_probes() && !stop.stop_requested()) {
    for (const ProbeRequest& probe : board_.take_probes(kProbesAtOnce)) {
      auto there = views_.look(probe.name, stop);
      // What could not be looked at is found by the next listing.
      if (!there) board_.want_rescan(Haste::Now);
      if (there && *there) sink_.whole(settings_.index, {std::move(**there)});
      ProbeAnswer answer;
      answer.root = settings_.index;
      answer.name = probe.name;
      answer.gone = true;
      sink_.probed({std::move(answer)});
    }
  }
}

void BucketRoot::set_state(RootState state, const Error* why) {
  std::string text = why == nullptr ? "" : why->message;
  if (health_.state != state || health_.why != text) {
    health_.state = state;
    health_.why = std::move(text);
    health_.needs_person = why != nullptr && asks_for_person(why->kind);
    health_.since = clock_.wall_now();
    board_.set_health(health_);
    sink_.health_changed(settings_.index, health_);
  } else {
    board_.set_health(health_);
  }
}

}  // namespace millrace
