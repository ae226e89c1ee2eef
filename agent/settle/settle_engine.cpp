#include "agent/settle/settle_engine.hpp"

#include <algorithm>
#include <utility>

#include "agent/settle/explain.hpp"
#include "agent/settle/handed_on.hpp"
#include "agent/settle/quiet_rules.hpp"
#include "agent/settle/waiting_files.hpp"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kMostRemembered = 8192;

// How often a file is looked at again that time alone does not make whole.
struct Pace {
  Duration first;
  Duration longest;
};
constexpr Pace kPace{milliseconds{500}, seconds{5}};
constexpr Pace kRefusedPace{seconds{5}, minutes{5}};
constexpr Duration kLatePace = minutes{1};  // of a file that was told overdue
// No root has to answer more than a thousand such looks a second.
constexpr Duration kCostOfLook = milliseconds{1};
// A rescan that sees an unreadable file again has it tried again, but not more often than this.
constexpr Duration kRefusedAtLeast = seconds{5};

Duration backoff(Pace pace, unsigned looks) {
  Duration delay = pace.first;
  for (; looks > 1 && delay < pace.longest; --looks) delay *= 2;
  return std::min(delay, pace.longest);
}

// Whether the bytes changed, as opposed to mode, links or name.
bool content_changed(const Stamp& a, const Stamp& b) {
  return a.size != b.size || a.mtime_ns != b.mtime_ns;
}
bool may_be_same_file(const Stamp& a, const Stamp& b) {
  return a.file_id == b.file_id || a.file_id == 0 || b.file_id == 0;
}

}  // namespace

struct SettleEngine::State {
  std::vector<SettleRules> rules;
  WaitingFiles files;
  HandedOnMemory handed_on{kMostRemembered};
  std::vector<Settled> settled;
  std::vector<Shelved> shelved;
  std::vector<TooEarly> too_early;

  SettleRules& rules_of(std::size_t root) {
    if (root >= rules.size()) rules.resize(root + 1);
    return rules[root];
  }
  const SettleRules& rules_of(const WaitingFile& file) { return rules_of(file.root); }

  Duration quiet_of(const WaitingFile& file) {
    if (file.old && file.writer == WriterTest::None) return Duration{0};
    return quiet_time(rules_of(file), *file.name, file.why, file.writer);
  }

  // Quiet starts again.
  void restart(WaitingFile& file, const Stamp& stamp, Evidence why, TimePoint now) {
    file.stamp = stamp;
    file.why = why;
    file.changed_at = now;
    file.looks = 0;
    file.writer = WriterTest::None;
    file.refusal.reset();
    file.old = false;
    file.disturbed = file.out;
    wait_until(file, Phase::Quiet, now + quiet_of(file));
  }

  void wait_until(WaitingFile& file, Phase phase, TimePoint due) {
    file.phase = phase;
    if (!file.out) files.schedule(file, due);
  }

  void look_again(WaitingFile& file, Phase phase, Pace pace, TimePoint now) {
    Duration delay =
        std::max<Duration>(backoff(pace, file.looks), files.size(file.root) * kCostOfLook);
    if (file.told_late) delay = std::max(delay, kLatePace);
    wait_until(file, phase, now + delay);
  }

  // True if this version was handed on already.
  bool is_duplicate(const Observation& seen, TimePoint now);
  Duration learn(std::size_t root, Evidence why, Duration gap);
  void observe_again(WaitingFile& file, const Observation& seen, TimePoint now);
  void judge(WaitingFile& file, const ProbeAnswer& probe, TimePoint now);
  void judge_quiet(WaitingFile& file, const ProbeAnswer& probe, TimePoint now);
  void judge_empty(WaitingFile& file, const ProbeAnswer& probe, TimePoint now);
  Candidate let_go(WaitingFile& file, const ProbeAnswer& probe, TimePoint now);
};

bool SettleEngine::State::is_duplicate(const Observation& seen, TimePoint now) {
  const HandedOn* before = handed_on.find(seen.root, seen.name);
  if (before == nullptr) return false;
  if (before->stamp == seen.stamp) {
    if (now - before->at < kRemembered) return true;
  } else if (!before->shelved && now - before->at < kTooEarly &&
             content_changed(before->stamp, seen.stamp) &&
             may_be_same_file(before->stamp, seen.stamp)) {
    // Another file under the same name says nothing about the first one's writer (scanners start
    // again at SCN_0001), nor does a chmod.
    const Duration gap = now - before->changed_at;
    const Duration minimum = learn(seen.root, before->why, gap);
    too_early.push_back({seen.root, seen.name, before->why, gap, minimum});
  }
  handed_on.forget(seen.root, seen.name);
  return false;
}

Duration SettleEngine::State::learn(std::size_t root, Evidence why, Duration gap) {
  SettleRules& of = rules_of(root);
  Duration& minimum = why == Evidence::Moved ? of.learnt_quiet_moved : of.learnt_quiet;
  minimum = std::max(minimum, std::min(2 * gap, kLongestLearnt));
  return minimum;
}

void SettleEngine::State::observe_again(WaitingFile& file, const Observation& seen, TimePoint now) {
  // A time stamp has the granularity of the kernel's tick, so that an event counts as a change even
  // if the stamp is the same; a scan or a poll does not.
  if (seen.stamp != file.stamp || seen.why == Evidence::Written || seen.why == Evidence::Closed) {
    return restart(file, seen.stamp, seen.why, now);
  }
  if (seen.why == Evidence::Moved) {
    file.why = Evidence::Moved;
    if (file.phase == Phase::Quiet)
      wait_until(file, Phase::Quiet, file.changed_at + quiet_of(file));
    return;
  }
  const bool marker_may_be_there = file.phase == Phase::Marker;
  const bool readable_by_now =
      file.phase == Phase::Refused && now - file.probed_at >= kRefusedAtLeast;
  if (marker_may_be_there || readable_by_now) wait_until(file, file.phase, now);
}

void SettleEngine::State::judge(WaitingFile& file, const ProbeAnswer& probe, TimePoint now) {
  if (file.looks < UINT8_MAX) ++file.looks;
  if (!probe.refusal.empty()) {
    file.refusal = std::make_unique<std::string>(probe.refusal);
    return look_again(file, Phase::Refused, kRefusedPace, now);
  }
  file.refusal.reset();
  if (probe.stamp != file.stamp) {
    // Somebody writes, and what was known about writers is past.
    return restart(file, probe.stamp, Evidence::Found, now);
  }
  file.writer = probe.writer;
  if (probe.writer == WriterTest::Open) {
    file.old = false;
    file.why = Evidence::Written;  // whatever a rename or a close had promised
    file.changed_at = now;
    return look_again(file, Phase::Writer, kPace, now);
  }
  judge_quiet(file, probe, now);
}

void SettleEngine::State::judge_quiet(WaitingFile& file, const ProbeAnswer& probe, TimePoint now) {
  const Duration quiet = quiet_of(file);
  if (now - file.changed_at < quiet) {
    return wait_until(file, Phase::Quiet, file.changed_at + quiet);
  }
  if (rules_of(file).has_marker && !probe.marker_present) {
    return look_again(file, Phase::Marker, kPace, now);
  }
  if (file.stamp.size == 0) return judge_empty(file, probe, now);
  if (probe.end_mark == EndMark::Missing && now - file.changed_at < kEndMarkPatience) {
    return wait_until(file, Phase::EndMark, file.changed_at + kEndMarkPatience);
  }
  const std::size_t root = file.root;
  const Evidence why = file.why;
  settled.push_back({root, let_go(file, probe, now), why});
}

void SettleEngine::State::judge_empty(WaitingFile& file, const ProbeAnswer& probe, TimePoint now) {
  const Duration patience =
      probe.writer == WriterTest::None ? kEmptyPatience : kEmptyPatienceUnproven;
  if (now - file.changed_at < patience) {
    return wait_until(file, Phase::Filled, file.changed_at + patience);
  }
  const std::size_t root = file.root;
  Candidate candidate = let_go(file, probe, now);
  shelved.push_back({root, std::move(candidate), "empty"});
}

Candidate SettleEngine::State::let_go(WaitingFile& file, const ProbeAnswer& probe, TimePoint now) {
  Candidate candidate{rules_of(file).folder, *file.name, probe.stamp.size, probe.version};
  handed_on.keep(file.root, *file.name,
                 {probe.stamp, file.changed_at, now, file.why, probe.stamp.size == 0});
  files.remove(file);
  return candidate;
}

SettleEngine::SettleEngine() : state_(std::make_unique<State>()) {}
SettleEngine::~SettleEngine() = default;

void SettleEngine::set_rules(std::size_t root, SettleRules rules) {
  state_->rules_of(root) = std::move(rules);
}

void SettleEngine::forget_root(std::size_t root) {
  state_->files.remove_all(root);
  state_->handed_on.forget_root(root);
}

bool SettleEngine::observe(const Observation& seen, TimePoint now) {
  WaitingFile* known = state_->files.find(seen.root, seen.name);
  if (seen.gone) {
    if (known != nullptr) state_->files.remove(*known);
    state_->handed_on.forget(seen.root, seen.name);
    return true;
  }
  if (known != nullptr) {
    state_->observe_again(*known, seen, now);
    return true;
  }
  if (state_->files.size() >= kMostFiles) return false;
  if (state_->is_duplicate(seen, now)) return true;
  WaitingFile& file = state_->files.add(seen.root, seen.name, now);
  state_->restart(file, seen.stamp, seen.why, now);
  if (counts_as_old(state_->rules_of(file), seen.why, Duration{seen.change_age_ns})) {
    file.old = true;
    state_->wait_until(file, Phase::Quiet, now);
  }
  return true;
}

void SettleEngine::stood_still(Duration time) { state_->files.postpone(time); }

std::vector<ProbeRequest> SettleEngine::take_probes(TimePoint now) {
  std::vector<ProbeRequest> probes;
  while (probes.size() < kMostProbes) {
    WaitingFile* file = state_->files.first_due();
    if (file == nullptr || file->due > now) break;
    state_->files.unschedule(*file);
    file->out = true;
    file->probed_at = now;
    if (file->phase == Phase::Quiet) file->phase = Phase::Probe;
    probes.push_back({file->root, *file->name});
  }
  return probes;
}

void SettleEngine::answer(const ProbeAnswer& probe, TimePoint now) {
  WaitingFile* file = state_->files.find(probe.root, probe.name);
  if (file == nullptr || !file->out) return;
  file->out = false;
  if (probe.gone) {
    state_->files.remove(*file);
    return;
  }
  if (std::exchange(file->disturbed, false)) {
    // The probe may be older than what was observed since: it proves nothing.
    state_->wait_until(*file, Phase::Quiet, file->changed_at + state_->quiet_of(*file));
    return;
  }
  state_->judge(*file, probe, now);
}

std::vector<Settled> SettleEngine::take_settled() { return std::exchange(state_->settled, {}); }

std::vector<Shelved> SettleEngine::take_shelved() { return std::exchange(state_->shelved, {}); }

std::vector<TooEarly> SettleEngine::take_too_early() {
  return std::exchange(state_->too_early, {});
}

std::vector<Overdue> SettleEngine::take_overdue(TimePoint now) {
  std::vector<Overdue> overdue;
  while (WaitingFile* file = state_->files.oldest()) {
    const Duration waited = now - file->first_seen;
    if (waited < kOverdue) break;
    overdue.push_back(
        {file->root, *file->name, waited, explain_waiting(state_->rules_of(*file), *file, now)});
    state_->files.tell_late(*file);
  }
  return overdue;
}

void SettleEngine::forget_handed_on(std::size_t root, const Name& name) {
  state_->handed_on.forget(root, name);
}

std::optional<TimePoint> SettleEngine::next_deadline() const {
  const WaitingFile* file = state_->files.first_due();
  return file == nullptr ? std::nullopt : std::optional(file->due);
}

Duration SettleEngine::changed_late(std::size_t root, Duration gap) {
  return state_->learn(root, Evidence::Found, gap);
}

std::size_t SettleEngine::waiting(std::size_t root) const { return state_->files.size(root); }

std::optional<std::string> SettleEngine::explain(std::size_t root, const Name& name,
                                                 TimePoint now) const {
  const WaitingFile* file = state_->files.find(root, name);
  if (file == nullptr) return std::nullopt;
  return explain_waiting(state_->rules_of(*file), *file, now);
}

}  // namespace millrace
