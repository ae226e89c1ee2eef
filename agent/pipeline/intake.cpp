#include "agent/pipeline/intake.hpp"

#include <algorithm>
#include <utility>

#include "agent/report/log.hpp"
#include "config/values.hpp"
#include "platform/base/thread.hpp"

namespace millrace {
namespace {

// A scan waits while this many messages are not handled yet (each holds up to 1024 values) or while
// the engine is nearly full.
constexpr std::size_t kMostMessages = 16;
constexpr std::size_t kMostSettling = SettleEngine::kMostFiles * 8 / 10;
// The loop looks again after this long, whatever happens; while files settle it has to notice that
// it stood still.
constexpr Duration kLongestTurn = std::chrono::seconds{30};
constexpr Duration kLongestSettlingTurn = std::chrono::seconds{1};
constexpr std::size_t kClaimAtOnce = 128;
// A turn that comes later than this after its time: the machine slept, or this process stood still.
constexpr Duration kStoodStill = std::chrono::seconds{1};
// A ledger that could not answer (disk full, locked) is asked again after this long.
constexpr Duration kAskAgain = std::chrono::seconds{1};

Duration learnt(Ledger& ledger, const std::string& folder, Evidence why) {
  const auto text = ledger.recall(quiet_key(folder, why));
  if (!text || !*text) return Duration{0};
  return parse_duration(**text).value_or(Duration{0});
}

SettleRules rules_of(const FolderSettings& settings, RootNature nature, Ledger& ledger) {
  SettleRules rules;
  rules.folder = settings.name;
  rules.nature = nature;
  rules.fixed_quiet = settings.settle;
  rules.learnt_quiet = learnt(ledger, settings.name, Evidence::Closed);
  rules.learnt_quiet_moved = learnt(ledger, settings.name, Evidence::Moved);
  if (settings.poll) rules.poll_every = *settings.poll;
  rules.has_marker = !settings.ready_marker.empty();
  return rules;
}

std::string watch_position_key(const std::string& folder) { return "watch_position/" + folder; }

}  // namespace

std::string quiet_key(const std::string& folder, Evidence why) {
  return (why == Evidence::Moved ? "quiet_moved/" : "quiet/") + folder;
}

// What cannot be recalled costs an order of names, and no name.
std::string watched_before(Ledger& ledger, const std::string& folder) {
  const auto position = ledger.recall(watch_position_key(folder));
  return position ? position->value_or("") : "";
}

Intake::Intake(Ledger& ledger, Dispatcher& dispatcher, const Clock& clock)
    : ledger_(ledger), dispatcher_(dispatcher), clock_(clock) {}

Intake::~Intake() { stop(); }

void Intake::start() {
  last_turn_ = clock_.now();
  thread_ = start_thread("intake", [this](const std::stop_token&) { run(); });
}

void Intake::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    arrived_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Intake::add(IntakeFolder folder) {
  {
    const MutexLock lock(mutex_);
    names_[folder.folder->root] = folder.folder->settings.name;
  }
  post(std::move(folder));
}

void Intake::remove(std::size_t root) { post(Removal{root}); }
void Intake::rescan(std::size_t root) { post(RescanWish{root}); }
void Intake::look_again(std::size_t root, const Name& name) { post(LookAgain{root, name}); }

std::string Intake::folder_name(std::size_t root) const {
  const MutexLock lock(mutex_);
  const auto found = names_.find(root);
  return found == names_.end() ? std::string() : found->second;
}

void Intake::job_ended() {
  const MutexLock lock(mutex_);
  if (std::exchange(work_wanted_, true)) return;
  arrived_.notify_one();
}

bool Intake::quiet() const {
  const MutexLock lock(mutex_);
  return quiet_ && mailbox_.empty() && !work_wanted_;
}

std::optional<std::string> Intake::explain(std::size_t root, const Name& name) const {
  const MutexLock lock(engine_mutex_);
  return engine_.explain(root, name, clock_.now());
}

void Intake::observed(std::vector<Observation> seen) { post(std::move(seen)); }
void Intake::probed(std::vector<ProbeAnswer> answers) { post(std::move(answers)); }
void Intake::whole(std::size_t root, std::vector<Candidate> seen) {
  post(WholeVersions{root, std::move(seen)});
}
void Intake::scan_finished(const ScanReport& report) { post(report); }

void Intake::refused(std::size_t root, std::vector<Refused> names) {
  const std::string folder = folder_name(root);
  for (const Refused& one : names) {
    log(Level::Warning, "not taken", {{"folder", folder}, {"file", one.name}, {"why", one.reason}});
  }
}

void Intake::left_in_cloud(std::size_t root, const LeftInCloud& files) {
  log(Level::Warning, "left out",
      {{"folder", folder_name(root)},
       {"files", std::to_string(files.files)},
       {"why", to_text(files)}});
}

void Intake::health_changed(std::size_t root, const RootHealth& health) {
  const bool bad = health.state == RootState::Offline || health.state == RootState::Stalled;
  log(bad ? Level::Warning : Level::Debug, "inbox",
      {{"folder", folder_name(root)},
       {"state", std::string(to_string(health.state))},
       {"how", health.how},
       {"why", health.why}});
  if (health.state == RootState::Scanning || health.state == RootState::Watching) {
    post(NatureNews{root, health.nature});
  }
}

void Intake::watched_up_to(std::size_t root, const std::string& position) {
  const std::string folder = folder_name(root);
  if (folder.empty()) return;  // a reload took it away
  const auto kept = ledger_.remember(watch_position_key(folder), position);
  if (!kept) log_error(Level::Error, "cannot remember what was watched", kept.error());
}

// A scan finds everything again; what the ledger knows in this very version needs no settling.
std::vector<bool> Intake::known(std::size_t root, const std::vector<SeenVersion>& seen) {
  const std::string folder = folder_name(root);
  std::vector<Candidate> asked;
  asked.reserve(seen.size());
  for (const SeenVersion& one : seen) asked.push_back({folder, one.name, 0, one.version});
  const auto answers = ledger_.look_up_all(asked);
  if (!answers) {
    log_error(Level::Error, "cannot ask the ledger", answers.error());
    return std::vector<bool>(seen.size(), false);
  }
  std::vector<bool> known;
  known.reserve(seen.size());
  for (const Known one : *answers) known.push_back(one == Known::Waiting || one == Known::Done);
  return known;
}

bool Intake::has_room(std::size_t) {
  const MutexLock lock(mutex_);
  return mailbox_.size() < kMostMessages && settling_ < kMostSettling;
}

void Intake::post(Message message) {
  const MutexLock lock(mutex_);
  mailbox_.push_back(std::move(message));
  arrived_.notify_one();
}

void Intake::run() {
  TimePoint ended = clock_.now();  // the turn before
  TimePoint until = ended;
  while (auto messages = wait_for_messages(until)) {
    const TimePoint now = clock_.now();
    last_turn_ = now;
    if (now > until + kStoodStill) {
      const MutexLock lock(engine_mutex_);
      engine_.stood_still(now - ended);
    }
    for (Message& message : *messages) handle(std::move(message), now);
    send_probes(now);
    admit_settled();
    learn(now);
    if (next_due_ && *next_due_ <= now) claim_wanted_ = true;
    if (claim_wanted_) refill();
    update_quiet();
    ended = clock_.now();
    until = next_turn(ended);
  }
}

// Nothing once we are asked to stop.
std::optional<std::vector<Intake::Message>> Intake::wait_for_messages(TimePoint until) {
  MutexLock lock(mutex_);
  while (mailbox_.empty() && !work_wanted_ && !stopping_) {
    if (!arrived_.wait_until(lock, until)) break;
  }
  if (stopping_) return std::nullopt;
  if (std::exchange(work_wanted_, false)) claim_wanted_ = true;
  if (!mailbox_.empty()) quiet_ = false;
  return std::exchange(mailbox_, {});
}

void Intake::handle(Message message, TimePoint now) {
  if (auto* seen = std::get_if<std::vector<Observation>>(&message)) {
    handle_observations(*seen, now);
  } else if (auto* answers = std::get_if<std::vector<ProbeAnswer>>(&message)) {
    handle_answers(*answers, now);
  } else if (auto* whole = std::get_if<WholeVersions>(&message)) {
    admit(whole->root, whole->versions);
  } else if (auto* report = std::get_if<ScanReport>(&message)) {
    const auto at = roots_.find(report->root);
    if (at != roots_.end() && report->below.empty()) at->second.scanned = true;
  } else if (auto* folder = std::get_if<IntakeFolder>(&message)) {
    add_root(std::move(*folder));
  } else if (auto* removal = std::get_if<Removal>(&message)) {
    roots_.erase(removal->root);
    {
      const MutexLock lock(mutex_);
      names_.erase(removal->root);
    }
    const MutexLock lock(engine_mutex_);
    engine_.forget_root(removal->root);
  } else if (auto* wish = std::get_if<RescanWish>(&message)) {
    if (const auto at = roots_.find(wish->root); at != roots_.end()) {
      at->second.scanned = false;
      at->second.at.root->request_rescan(Haste::Now);
    }
  } else if (auto* again = std::get_if<LookAgain>(&message)) {
    if (const auto at = roots_.find(again->root); at != roots_.end()) {
      at->second.looking_again.insert(again->name);
      // It may come back as the very version that rescans pass over.
      at->second.at.root->forget_acknowledged();
      at->second.at.root->request_probes({{again->root, again->name}});
    }
  } else if (auto* news = std::get_if<NatureNews>(&message)) {
    const auto at = roots_.find(news->root);
    if (at == roots_.end() || at->second.nature == news->nature) return;
    at->second.nature = news->nature;
    set_rules(news->root);
  }
}

void Intake::add_root(IntakeFolder folder) {
  const std::size_t index = folder.folder->root;
  roots_[index].at = std::move(folder);
  set_rules(index);
  claim_wanted_ = true;  // what the ledger holds from before
}

void Intake::set_rules(std::size_t root) {
  const KnownRoot& state = roots_.at(root);
  SettleRules rules =
      rules_of(state.at.folder->settings, state.nature.value_or(RootNature::LocalEvents), ledger_);
  const MutexLock lock(engine_mutex_);
  engine_.set_rules(root, std::move(rules));
}

void Intake::handle_observations(const std::vector<Observation>& seen, TimePoint now) {
  const MutexLock lock(engine_mutex_);
  for (const Observation& one : seen) {
    const auto at = roots_.find(one.root);
    if (at != roots_.end() && !engine_.observe(one, now)) at->second.rescan_needed = true;
  }
}

void Intake::handle_answers(const std::vector<ProbeAnswer>& answers, TimePoint now) {
  const MutexLock lock(engine_mutex_);
  for (const ProbeAnswer& answer : answers) {
    const auto at = roots_.find(answer.root);
    if (at == roots_.end()) continue;
    if (at->second.looking_again.erase(answer.name) > 0) {
      // A job gave it back because it changed: seen anew, as a scan would.
      Observation seen;
      seen.root = answer.root;
      seen.name = answer.name;
      seen.stamp = answer.stamp;
      seen.gone = answer.gone;
      if (!engine_.observe(seen, now)) at->second.rescan_needed = true;
    } else {
      engine_.answer(answer, now);
    }
  }
}

void Intake::send_probes(TimePoint now) {
  std::map<std::size_t, std::vector<ProbeRequest>> by_root;
  {
    const MutexLock lock(engine_mutex_);
    for (ProbeRequest& probe : engine_.take_probes(now)) {
      by_root[probe.root].push_back(std::move(probe));
    }
  }
  for (auto& [root, probes] : by_root) {
    if (const auto at = roots_.find(root); at != roots_.end()) {
      at->second.at.root->request_probes(std::move(probes));
    }
  }
}

void Intake::admit_settled() {
  std::map<std::size_t, std::vector<Candidate>> by_root;
  {
    const MutexLock lock(engine_mutex_);
    for (Settled& settled : engine_.take_settled()) {
      by_root[settled.root].push_back(std::move(settled.candidate));
    }
    // An empty file is recorded like any other; its job fails before anything is sent.
    for (Shelved& shelved : engine_.take_shelved()) {
      by_root[shelved.root].push_back(std::move(shelved.candidate));
    }
  }
  for (const auto& [root, candidates] : by_root) admit(root, candidates);
}

void Intake::admit(std::size_t root, const std::vector<Candidate>& candidates) {
  const auto at = roots_.find(root);
  if (at == roots_.end()) return;
  const auto admitted =
      ledger_.admit_all(candidates, at->second.at.folder->targets, clock_.wall_now());
  claim_wanted_ = true;
  const std::string& folder = at->second.at.folder->settings.name;
  if (admitted) {
    for (const Candidate& c : candidates) at->second.at.root->acknowledge(c.name, c.version);
    if (std::exchange(at->second.unrecorded, false)) dispatcher_.unblock(folder);
    return;
  }
  dispatcher_.block(folder, admitted.error().message);
  if (!std::exchange(at->second.unrecorded, true)) {
    log_error(Level::Error, "cannot record new files", admitted.error(), {{"folder", folder}});
  }
  at->second.rescan_needed = true;
  const MutexLock lock(engine_mutex_);
  for (const Candidate& c : candidates) engine_.forget_handed_on(root, c.name);
}

// What the engine noticed about folders and files that a person or the ledger should know.
void Intake::learn(TimePoint now) {
  std::vector<TooEarly> early;
  std::vector<Overdue> overdue;
  {
    const MutexLock lock(engine_mutex_);
    early = engine_.take_too_early();
    overdue = engine_.take_overdue(now);
  }
  for (const TooEarly& one : early) {
    const auto at = roots_.find(one.root);
    if (at == roots_.end()) continue;
    const std::string& folder = at->second.at.folder->settings.name;
    log(Level::Warning, "a file changed after it was taken; this folder waits longer from now on",
        {{"folder", folder}, {"file", one.name}, {"quiet", duration_text(one.minimum)}});
    const auto kept = ledger_.remember(quiet_key(folder, one.why), duration_text(one.minimum));
    if (!kept) log_error(Level::Error, "cannot remember the quiet time", kept.error());
  }
  for (const Overdue& one : overdue) {
    log(Level::Warning, "still not whole",
        {{"file", one.name}, {"waited", duration_text(one.waited)}, {"why", one.reason}});
  }
  for (auto& [root, state] : roots_) {
    if (!state.rescan_needed || settling_ > SettleEngine::kMostFiles / 2) continue;
    state.rescan_needed = false;
    state.scanned = false;
    state.at.root->request_rescan(Haste::WhenDue);
  }
}

void Intake::refill() {
  claim_wanted_ = false;
  const WallTime asked_at = clock_.wall_now();
  bool unanswered = false;
  for (const auto& [root, state] : roots_) {
    for (const auto lane : {Ledger::Lane::Fresh, Ledger::Lane::Deferred}) {
      const auto more = refill(state.at.folder->settings, lane);
      if (!more) unanswered = true;
      if (more && *more) claim_wanted_ = true;
    }
  }
  next_due_.reset();
  // What was due before we asked had no room, or belongs to a folder that is gone.
  const auto due = ledger_.next_due(asked_at);
  if (due && *due) next_due_ = clock_.now() + (**due - clock_.wall_now());
  if (!due || unanswered) {
    const TimePoint again = clock_.now() + kAskAgain;
    next_due_ = std::min(next_due_.value_or(again), again);
  }
}

// True if there may be more where this came from; an error that was logged.
Result<bool> Intake::refill(const FolderSettings& settings, Ledger::Lane lane) {
  const std::string& folder = settings.name;
  const std::size_t room = std::min(dispatcher_.room(folder, lane), kClaimAtOnce);
  // A half-full window waits for more room, so that jobs are fetched in handfuls; each job that
  // ends asks again.
  if (room < kClaimAtOnce && dispatcher_.queued(folder) > kClaimAtOnce) return false;
  if (room == 0) return false;
  auto jobs = claim(settings, lane, room);
  if (!jobs) {
    log_error(Level::Error, "cannot take work from the ledger", jobs.error());
    return std::unexpected(jobs.error());
  }
  const bool more = jobs->size() == room;
  if (!jobs->empty()) dispatcher_.push(std::move(*jobs));
  return more;
}

// A folder that has got another `via` takes along what waits.
Result<std::vector<Job>> Intake::claim(const FolderSettings& settings, Ledger::Lane lane,
                                       std::size_t room) {
  auto jobs = ledger_.claim(settings.name, lane, room, clock_.wall_now());
  const auto is_other = [&](const Job& job) { return job.converter != settings.via; };
  if (!jobs || std::ranges::none_of(*jobs, is_other)) return jobs;
  for (const Job& job : *jobs) ledger_.release(job.id);
  if (auto set = ledger_.set_converter(settings.name, settings.via); !set)
    return std::unexpected(set.error());
  return ledger_.claim(settings.name, lane, room, clock_.wall_now());
}

void Intake::update_quiet() {
  const bool scanned = std::ranges::all_of(roots_, [](const auto& at) {
    return at.second.scanned && !at.second.rescan_needed && at.second.looking_again.empty();
  });
  std::size_t held = 0;
  {
    const MutexLock lock(engine_mutex_);
    for (const auto& [root, state] : roots_) held += engine_.waiting(root);
  }
  settling_ = held;
  const MutexLock lock(mutex_);
  quiet_ = scanned && held == 0 && !claim_wanted_;
}

TimePoint Intake::next_turn(TimePoint now) {
  TimePoint next = now + (settling_ > 0 ? kLongestSettlingTurn : kLongestTurn);
  if (claim_wanted_) return now;
  if (next_due_) next = std::min(next, *next_due_);
  const MutexLock lock(engine_mutex_);
  if (const auto deadline = engine_.next_deadline()) next = std::min(next, *deadline);
  return next;
}

}  // namespace millrace
