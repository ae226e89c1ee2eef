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
  Duration learnt_quiet{0};             // minimum that this folder has learnt (see changed_late)
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

class SettleEngine {
 public:
  static constexpr std::size_t kMostFiles = 50'000;

  SettleEngine();
  ~SettleEngine();

  void set_rules(std::size_t root, SettleRules rules);
  // False if the engine is full: the caller marks the root "rescan needed".
  bool observe(const Observation& seen, TimePoint now);
  // Files to be looked at now; each is out until its answer comes.
  std::vector<ProbeRequest> take_probes(TimePoint now);
  void answer(const ProbeAnswer& probe, TimePoint now);
  std::vector<Settled> take_settled();  // forgets what it hands out
  std::vector<Shelved> take_shelved();
  std::vector<Overdue> take_overdue(TimePoint now);
  // When take_probes has something again; nothing if it waits for events only.
  std::optional<TimePoint> next_deadline() const;

  // A file changed within 60 s of being handed on: the folder was too early. Returns its new
  // minimum quiet time (twice the gap, at most 60 s), to be kept in the ledger.
  Duration changed_late(std::size_t root, Duration gap_after_handing_on);

  std::size_t waiting(std::size_t root) const;  // files held for this root
  // What it waits for, in plain words, with the rule that decides; nothing if it does not know the
  // name.
  std::optional<std::string> explain(std::size_t root, const Name& name, TimePoint now) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
