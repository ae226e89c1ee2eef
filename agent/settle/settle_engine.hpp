// Decides when a file is whole. Single-threaded; reads no clock and no disk.
//
//   observe --> quiet? --> probe (a fresh stamp, a writer test, the end mark) --> settled
//      ^                       |  changed, writer open, marks missing: quiet starts again
//      +-----------------------+
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/job/candidate.hpp"
#include "agent/job/observation.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

struct SettleRules {  // of one root
  std::string folder;
  RootNature nature = RootNature::LocalEvents;
  std::optional<Duration> fixed_quiet;  // settle = "3s"; nothing: by evidence
  // Minimum that this folder has learnt (see TooEarly) for everything that was not moved into
  // place, and the same for what was. Two, since a rename is the writer's own word that the file is
  // whole: it is doubted only where it has been seen to be wrong, so that one sloppy writer does
  // not slow down the careful ones.
  Duration learnt_quiet{0};
  Duration learnt_quiet_moved{0};
  Duration poll_every = std::chrono::seconds{10};
  bool has_marker = false;  // ready_marker is set
};

struct Settled {
  std::size_t root = 0;
  Candidate candidate;
  Evidence why = Evidence::Found;
};

struct Shelved {  // will not be handed on: told once, forgotten when the stamp changes
  std::size_t root = 0;
  Candidate candidate;
  std::string reason;  // "empty"
};

struct Overdue {  // told once a file, never converted by force
  std::size_t root = 0;
  Name name;
  Duration waited{0};
  std::string reason;
};

// A file changed, in place, within kTooEarly of being handed on: its folder has to wait longer. The
// engine waits longer at once; `minimum` is for the ledger, to be given back through set_rules as
// learnt_quiet, or as learnt_quiet_moved if `why` is Moved.
struct TooEarly {
  std::size_t root = 0;
  Name name;
  Evidence why = Evidence::Found;  // on which the file was handed on
  Duration gap{0};                 // between the two changes, by our clock
  Duration minimum{0};             // twice the gap, never less than before, at most 60 s
};

class SettleEngine {
 public:
  static constexpr std::size_t kMostFiles = 50'000;
  static constexpr std::size_t kMostProbes = 1024;  // that one call of take_probes gives
  static constexpr Duration kTooEarly = std::chrono::seconds{60};
  // A file handed on or shelved is not taken up again with the same stamp for this long (and while
  // it is among the last 8192); past it the ledger's look-up is what tells duplicates.
  static constexpr Duration kRemembered = std::chrono::minutes{10};
  static constexpr Duration kOverdue = std::chrono::minutes{10};

  SettleEngine();
  ~SettleEngine();

  // May be called again at any time, for a root that has files too.
  void set_rules(std::size_t root, SettleRules rules);
  // Forgets a root and all its files, whether they are out for a probe or not.
  void forget_root(std::size_t root);
  // False if the engine is full: the caller marks the root "rescan needed". An observation of a
  // file that waits for its ready marker has it probed at once, so that a root which sees the
  // marker appear needs only to observe the file again.
  bool observe(const Observation& seen, TimePoint now);
  // Nobody looked for this long (the machine slept, the process stood still): a writer may have
  // stood still as well, so that this time does not count as quiet.
  void stood_still(Duration time);
  // Files to be looked at now, at most kMostProbes; each is out until its answer comes.
  std::vector<ProbeRequest> take_probes(TimePoint now);
  // An answer to a question that was not asked, or whose file is gone by now, is ignored.
  void answer(const ProbeAnswer& probe, TimePoint now);
  std::vector<Settled> take_settled();  // forgets what it hands out, but see kRemembered
  std::vector<Shelved> take_shelved();
  std::vector<Overdue> take_overdue(TimePoint now);
  std::vector<TooEarly> take_too_early();
  // What was handed on could not be kept (the ledger refused it): the next observation of this name
  // counts, even with the same stamp.
  void forget_handed_on(std::size_t root, const Name& name);
  // When take_probes has something again (may lie in the past); nothing if it waits for events
  // only.
  std::optional<TimePoint> next_deadline() const;

  // The same as a TooEarly, for a caller who found out by himself. `gap` is the time between the
  // last change before handing on and the first one after. Returns the folder's new minimum.
  Duration changed_late(std::size_t root, Duration gap);

  std::size_t waiting(std::size_t root) const;  // files held for this root
  // What it waits for, in plain words, with the rule that decides; nothing if it does not know the
  // name.
  std::optional<std::string> explain(std::size_t root, const Name& name, TimePoint now) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
