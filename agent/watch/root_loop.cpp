#include "agent/watch/root_loop.hpp"

#include <algorithm>
#include <utility>

#include "agent/watch/prober.hpp"
#include "agent/watch/version.hpp"
#include "platform/fs/path_text.hpp"
#include "platform/watch/machine_time.hpp"

namespace millrace {
namespace {

constexpr auto kTurn = std::chrono::seconds{5};  // the longest time without a look at the clocks
constexpr auto kDefaultPoll = std::chrono::seconds{10};
// A thread that wakes this late was frozen, or the machine slept.
constexpr auto kFrozen = std::chrono::seconds{60};
constexpr auto kSlept = std::chrono::seconds{2};
constexpr std::size_t kProbesPerAnswer = 32;
constexpr std::size_t kMostLostFolders = 16;

Evidence evidence_of(Change change) {
  switch (change) {
    case Change::Moved:
      return Evidence::Moved;
    case Change::Closed:
      return Evidence::Closed;
    case Change::Written:
    case Change::Removed:
      break;
  }
  return Evidence::Written;
}

RootNature nature_of_root(const FileSystemKind& kind, bool polls) {
  if (kind.nature != FileSystemNature::Local) return RootNature::Remote;
  return polls ? RootNature::LocalPolled : RootNature::LocalEvents;
}

}  // namespace

RootLoop::RootLoop(const RootSettings& settings, const NameFilter& filter, FileSystem& file_system,
                   const Clock& clock, RootSink& sink, RootBoard& board, Placeholders& placeholders,
                   OpenWatcher open_native)
    : settings_(settings),
      filter_(filter),
      file_system_(file_system),
      clock_(clock),
      sink_(sink),
      board_(board),
      placeholders_(placeholders),
      open_native_(std::move(open_native)),
      position_(settings.watch_since),
      random_(std::random_device{}()) {}

RootLoop::~RootLoop() { board_.set_watcher(nullptr); }

void RootLoop::run(std::stop_token stop) {
  stop_ = stop;
  asleep_ = time_asleep();
  health_.since = clock_.wall_now();
  while (!stop_.stop_requested()) {
    if (!is_online()) {
      wait_offline();
    } else {
      turn();
    }
    if (ended_) go_offline(*std::exchange(ended_, std::nullopt));
  }
  tell_placeholders(TimePoint::max());
  tell_position(TimePoint::max());
  board_.set_watcher(nullptr);
  watcher_.reset();
  directory_.reset();
}

// -- opening and losing --------------------------------------------------------------------------

void RootLoop::wait_offline() {
  if (clock_.now() < retry_at_) return board_.sleep_until(retry_at_);
  still_alive();
  auto opened = open();
  board_.is_back();
  if (!opened) {
    directory_.reset();
    watcher_.reset();
    retry_later();
    return set_state(RootState::Offline, opened.error().message);
  }
  listed_ = false;
  board_.set_watcher(watcher_.get());
  // Watched first and scanned then: nothing that arrives in between is missed.
  lost_below_.clear();
  whole_.want_now(clock_.now());
}

void RootLoop::retry_later() {
  retry_ = std::clamp(retry_ * 2, settings_.first_retry, settings_.longest_retry);
  retry_at_ = clock_.now() + retry_;
}

Result<void> RootLoop::open() {
  auto directory = file_system_.open_directory(settings_.inbox);
  if (!directory) return std::unexpected(directory.error());
  if (auto admitted = mounts_.admit(**directory); !admitted) return admitted;
  auto kind = file_system_kind(settings_.inbox);
  if (!kind) return std::unexpected(kind.error());
  auto watcher = open_watcher(*kind);
  if (!watcher) return std::unexpected(watcher.error());
  kind_ = *kind;
  watcher_ = std::move(*watcher);
  directory_ = std::move(*directory);
  health_.nature = nature_of_root(kind_, polls_);
  health_.how = watcher_->describe();
  if (polls_) health_.how += " (" + kind_.name + ")";
  if (health_.scans > 0) ++health_.reopened;
  return {};
}

Result<std::unique_ptr<Watcher>> RootLoop::open_watcher(const FileSystemKind& kind) {
  WatchOptions options;
  options.recursive = settings_.names.recursive;
  options.poll_every = settings_.poll.value_or(kDefaultPoll);
  options.still_alive = [this] { still_alive(); };
  options.since = position_.latest();
  polls_ = settings_.poll || kind.events == ChangeEvents::Partial || !limit_.empty();
  if (!polls_) {
    auto watcher = open_native_(settings_.inbox, options);
    if (watcher || !asks_for_polling(watcher.error())) return watcher;
    limit_ = watcher.error().message;
    polls_ = true;
  }
  return open_polling_watcher(settings_.inbox, options);
}

void RootLoop::go_offline(const Error& error) {
  board_.set_watcher(nullptr);
  watcher_.reset();
  directory_.reset();
  observations_.clear();
  scanned_.clear();
  // The limit was hit by a folder that came later: the root itself is well and is polled from now.
  if (asks_for_polling(error)) limit_ = error.message;
  // One that was well may be there again already, removed and made anew. One that opens and cannot
  // be listed is no better than one that does not open.
  if (listed_ || asks_for_polling(error)) {
    retry_ = Duration::zero();
    retry_at_ = clock_.now();
  } else {
    retry_later();
  }
  set_state(RootState::Offline, error.message);
}

bool RootLoop::root_is_there() {
  still_alive();
  auto there = directory_->still_there();
  if (there && *there) return true;
  ended_ = there ? Error{ErrorKind::Environment,
                         "the folder is gone or another one is in its place",
                         0,
                         {}}
                 : there.error();
  return false;
}

void RootLoop::set_state(RootState state, std::string why) {
  const bool changed = health_.state != state || health_.why != why;
  if (health_.state != state) health_.since = clock_.wall_now();
  health_.state = state;
  health_.why = std::move(why);
  board_.set_health(health_);
  if (!changed) return;
  board_.is_back();
  sink_.health_changed(settings_.index, board_.health(clock_.now(), settings_.stalled_after));
}

// -- one turn ------------------------------------------------------------------------------------

void RootLoop::turn() {
  const TimePoint now = clock_.now();
  note_requests();
  answer_probes();
  if (!ended_) scan_what_is_due();
  tell_placeholders(now);
  tell_position(now);
  if (ended_ || stop_.stop_requested()) return;
  const TimePoint deadline = next_deadline(now);
  listen(deadline);
  note_gaps(deadline);
}

void RootLoop::serve() {
  answer_probes();
  if (!ended_) listen(TimePoint{});
}

void RootLoop::listen(TimePoint deadline) {
  std::vector<WatchEvent> events;
  board_.expect_back(std::max(deadline, clock_.now()));
  watcher_->wait(deadline, events);
  take(events);
  // What was left lying at the end of the run, or of the root, is told again.
  if (!ended_ && !stop_.stop_requested()) position_.reached(watcher_->position());
  board_.is_back();
}

TimePoint RootLoop::next_deadline(TimePoint now) const {
  if (board_.has_probes()) return now;
  TimePoint deadline = std::min(now + kTurn, rescan_at_);
  if (whole_.is_wanted()) deadline = std::min(deadline, whole_.due());
  if (parts_.is_wanted()) deadline = std::min(deadline, parts_.due());
  if (const auto due = placeholders_.due()) deadline = std::min(deadline, *due);
  return deadline;
}

void RootLoop::note_requests() {
  const TimePoint now = clock_.now();
  const auto haste = board_.take_rescan();
  if (haste == Haste::Now) whole_.want_now(now);
  if (haste == Haste::WhenDue) whole_.want(now);
  if (now < rescan_at_) return;
  whole_.want(now);
  rescan_at_ = now + settings_.rescan_every;
}

void RootLoop::note_gaps(TimePoint expected) {
  const TimePoint now = clock_.now();
  const Duration asleep = time_asleep();
  const bool slept = asleep - asleep_ > kSlept;
  asleep_ = asleep;
  if (slept || now > expected + kFrozen) whole_.want(now);
}

void RootLoop::answer_probes() {
  for (auto requests = board_.take_probes(kProbesPerAnswer); !requests.empty();
       requests = board_.take_probes(kProbesPerAnswer)) {
    std::vector<ProbeAnswer> answers;
    bool suspicious = false;
    for (const ProbeRequest& request : requests) {
      if (stop_.stop_requested()) return;
      still_alive();
      ProbeAnswer& answer =
          answers.emplace_back(probe(*directory_, filter_, kind_.nature, request));
      suspicious = suspicious || answer.gone || !answer.refusal.empty();
      note_placeholder(answer);
    }
    // A name that is gone from a root that is gone was not deleted: it is asked for again later.
    if (suspicious && !root_is_there()) return board_.give_back_probes(std::move(requests));
    board_.is_back();
    sink_.probed(std::move(answers));
  }
}

// One is as good as gone until a scan finds it again: nothing tells when its bytes come.
void RootLoop::note_placeholder(ProbeAnswer& answer) {
  if (!answer.placeholder || answer.gone) return placeholders_.forget(answer.name);
  placeholders_.saw(answer.name, clock_.now());
  answer.gone = true;
  answer.refusal.clear();
}

void RootLoop::tell_placeholders(TimePoint now) {
  const auto left = placeholders_.take_due(now);
  if (!left) return;
  board_.is_back();
  sink_.left_in_cloud(settings_.index, *left);
}

void RootLoop::tell_position(TimePoint now) {
  const auto position = position_.take_due(now);
  if (!position) return;
  board_.is_back();
  sink_.watched_up_to(settings_.index, *position);
}

// -- events --------------------------------------------------------------------------------------

void RootLoop::take(std::vector<WatchEvent>& events) {
  for (WatchEvent& event : events) {
    if (ended_ || stop_.stop_requested()) return;
    if (const auto* touched = std::get_if<Touched>(&event)) {
      take_touched(touched->name, touched->change);
    } else if (const auto* lost = std::get_if<Lost>(&event)) {
      lose(*lost);
    } else {
      ended_ = std::get<Ended>(event).error;
    }
  }
  hand_over();
}

void RootLoop::take_touched(const Name& name, Change change) {
  if (const auto marked = filter_.marked_by(name)) look_at(*marked, Evidence::Found);
  if (name.empty() || filter_.why_not(name)) return;
  // The same name several times in a row: the last look counts, with what it was told by then.
  if (!observations_.empty() && observations_.back().name == name) observations_.pop_back();
  look_at(name, polls_ ? Evidence::Found : evidence_of(change));
}

void RootLoop::look_at(const Name& name, Evidence why) {
  still_alive();
  auto info = directory_->info(name);
  if (!info) {
    if (info.error().kind == ErrorKind::Vanished) return report_gone(name);
    return report_refused(name, info.error().message);
  }
  if (info->type == FileType::Directory) return;
  if (info->type != FileType::Regular) return report_refused(name, refusal_of(info->type));
  if (board_.is_acknowledged(name, version_text(*info, kind_.nature))) return;
  if (info->placeholder) return placeholders_.saw(name, clock_.now());
  observations_.push_back(observation_of(name, *info, why));
  if (observations_.size() >= RootSink::kMostObservations) hand_over();
}

void RootLoop::report_gone(const Name& name) {
  if (!root_is_there()) return;
  placeholders_.forget(name);
  Observation gone;
  gone.root = settings_.index;
  gone.name = name;
  gone.gone = true;
  observations_.push_back(std::move(gone));
  if (observations_.size() >= RootSink::kMostObservations) hand_over();
}

void RootLoop::lose(const Lost& lost) {
  ++health_.losses;
  const TimePoint now = clock_.now();
  if (lost.below.empty() || lost_below_.size() >= kMostLostFolders) {
    lost_below_.clear();
    whole_.want(now);
  } else {
    lost_below_.insert(lost.below);
    parts_.want(now);
  }
  board_.set_health(health_);
}

Observation RootLoop::observation_of(const Name& name, const FileInfo& info, Evidence why) const {
  Observation seen;
  seen.root = settings_.index;
  seen.name = name;
  seen.stamp = stamp_of(info);
  seen.why = why;
  seen.change_age_ns = change_age_ns(info, clock_.wall_now());
  return seen;
}

void RootLoop::hand_over() {
  board_.is_back();
  if (!new_refused_.empty()) {
    sink_.refused(settings_.index, std::exchange(new_refused_, {}));
  }
  if (!observations_.empty() && !ended_) sink_.observed(std::exchange(observations_, {}));
}

}  // namespace millrace
