// The settle-and-queue loop: sees only values. Roots tell it what they saw, it tells the ledger
// what is whole, and keeps the dispatcher's window filled from the ledger.
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "agent/job/observation.hpp"
#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/dispatcher.hpp"
#include "agent/settle/settle_engine.hpp"
#include "agent/watch/root.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {

// Under which name the ledger remembers the quiet time that a folder has learnt: one for files that
// are moved into place, one for all others.
std::string quiet_key(const std::string& folder, Evidence why);

// Up to where the events of a folder's inbox were handed on (RootSink::watched_up_to), as far as
// the ledger remembers; else empty.
std::string watched_before(Ledger& ledger, const std::string& folder);

// What the loop knows of one root.
struct IntakeFolder {
  std::shared_ptr<Folder> folder;
  std::shared_ptr<Root> root;
};

// Its own thread; the public calls are for any other thread.
class Intake final : public RootSink {
 public:
  Intake(Ledger& ledger, Dispatcher& dispatcher, const Clock& clock);
  ~Intake() override;

  void start();
  void stop();  // joins; nothing is admitted or claimed afterwards

  void add(IntakeFolder folder);
  void remove(std::size_t root);
  void rescan(std::size_t root);
  // A job has ended: there is room in the window, or work that waits for a time.
  void job_ended();
  // The source changed while it was worked on.
  void look_again(std::size_t root, const Name& name);

  // Everything that was there when asked has been seen, and nothing is left to settle or to claim.
  bool quiet() const;
  std::size_t settling() const { return settling_; }  // files
  TimePoint last_turn() const { return last_turn_; }
  std::optional<std::string> explain(std::size_t root, const Name& name) const;

  // -- RootSink, on the roots' threads ----------------------------------------------------------
  void observed(std::vector<Observation> seen) override;
  void probed(std::vector<ProbeAnswer> answers) override;
  void whole(std::size_t root, std::vector<Candidate> seen) override;
  void refused(std::size_t root, std::vector<Refused> names) override;
  void left_in_cloud(std::size_t root, const LeftInCloud& files) override;
  void scan_finished(const ScanReport& report) override;
  void health_changed(std::size_t root, const RootHealth& health) override;
  void watched_up_to(std::size_t root, const std::string& position) override;
  std::vector<bool> known(std::size_t root, const std::vector<SeenVersion>& seen) override;
  bool has_room(std::size_t root) override;

 private:
  struct WholeVersions {
    std::size_t root;
    std::vector<Candidate> versions;
  };
  struct Removal {
    std::size_t root;
  };
  struct RescanWish {
    std::size_t root;
  };
  struct LookAgain {
    std::size_t root;
    Name name;
  };
  struct NatureNews {
    std::size_t root;
    RootNature nature;
  };
  using Message =
      std::variant<std::vector<Observation>, std::vector<ProbeAnswer>, WholeVersions, ScanReport,
                   IntakeFolder, Removal, RescanWish, LookAgain, NatureNews>;
  struct KnownRoot {
    IntakeFolder at;
    bool scanned = false;        // its first scan is over
    bool rescan_needed = false;  // the engine was full, or the ledger refused
    bool unrecorded = false;     // the ledger could not take its new files the last time
    std::optional<RootNature> nature;
    std::set<Name> looking_again;  // names that jobs gave back
  };

  void post(Message message);
  void run();
  std::optional<std::vector<Message>> wait_for_messages(TimePoint until);
  void handle(Message message, TimePoint now);
  void handle_observations(const std::vector<Observation>& seen, TimePoint now);
  void handle_answers(const std::vector<ProbeAnswer>& answers, TimePoint now);
  void add_root(IntakeFolder folder);
  void set_rules(std::size_t root);
  std::string folder_name(std::size_t root) const;
  void send_probes(TimePoint now);
  void admit_settled();
  void admit(std::size_t root, const std::vector<Candidate>& candidates);
  void learn(TimePoint now);
  void refill();
  Result<bool> refill(const FolderSettings& settings, Ledger::Lane lane);
  Result<std::vector<Job>> claim(const FolderSettings& settings, Ledger::Lane lane,
                                 std::size_t room);
  void update_quiet();
  TimePoint next_turn(TimePoint now);

  Ledger& ledger_;
  Dispatcher& dispatcher_;
  const Clock& clock_;

  // Of the loop's thread alone.
  std::map<std::size_t, KnownRoot> roots_;
  bool claim_wanted_ = true;
  std::optional<TimePoint> next_due_;

  mutable Mutex engine_mutex_;  // explain() looks in from outside
  SettleEngine engine_ GUARDED_BY(engine_mutex_);

  mutable Mutex mutex_;
  CondVar arrived_;
  std::vector<Message> mailbox_ GUARDED_BY(mutex_);
  bool work_wanted_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool quiet_ GUARDED_BY(mutex_) = false;
  std::map<std::size_t, std::string> names_ GUARDED_BY(mutex_);  // of folders, by root
  // Files that the engine holds; written by the loop, read by roots that ask for room.
  std::atomic<std::size_t> settling_{0};
  std::atomic<TimePoint> last_turn_{TimePoint{}};  // written by the loop, read by the watchdog

  std::jthread thread_;
};

}  // namespace millrace
