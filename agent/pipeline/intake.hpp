// The settle-and-queue loop: sees only values. Roots tell it what they saw, it tells the ledger
// what is whole, and keeps the dispatcher's window filled from the ledger.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
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
  std::size_t settling() const;
  std::optional<std::string> explain(std::size_t root, const Name& name) const;

  // -- RootSink, on the roots' threads; they wait while the loop is far behind -------------------
  void observed(std::vector<Observation> seen) override;
  void probed(std::vector<ProbeAnswer> answers) override;
  void scan_finished(const ScanReport& report) override;
  void refused(const Refused& refused) override;

 private:
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
  using Message = std::variant<std::vector<Observation>, std::vector<ProbeAnswer>, ScanReport,
                               IntakeFolder, Removal, RescanWish, LookAgain>;
  struct RootState {
    IntakeFolder at;
    bool scanned = false;        // its first scan is over
    bool rescan_needed = false;  // the engine was full
    std::map<Name, bool> looking_again;
  };

  void post(Message message);
  void post_bounded(Message message);
  void run(std::stop_token stop);
  std::vector<Message> wait_for_messages(std::optional<TimePoint> until, std::stop_token stop);
  void handle(Message message, TimePoint now);
  void handle_observations(std::vector<Observation> seen, TimePoint now);
  std::vector<Observation> without_known(std::vector<Observation> seen);
  void handle_answers(const std::vector<ProbeAnswer>& answers, TimePoint now);
  void add_root(IntakeFolder folder);
  void send_probes(TimePoint now);
  void admit_settled();
  void admit(std::size_t root, const std::vector<Candidate>& candidates);
  void learn(TimePoint now);
  void refill();
  bool refill(const std::string& folder, Ledger::Lane lane);
  void update_quiet();
  std::optional<TimePoint> next_turn();

  Ledger& ledger_;
  Dispatcher& dispatcher_;
  const Clock& clock_;

  // Of the loop's thread alone.
  std::map<std::size_t, RootState> roots_;
  bool claim_wanted_ = true;
  std::optional<TimePoint> next_due_;

  mutable Mutex engine_mutex_;  // explain() looks in from outside
  SettleEngine engine_ GUARDED_BY(engine_mutex_);

  mutable Mutex mutex_;
  CondVar arrived_;
  CondVar drained_;
  std::vector<Message> mailbox_ GUARDED_BY(mutex_);
  bool work_wanted_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool quiet_ GUARDED_BY(mutex_) = false;

  std::jthread thread_;
};

}  // namespace millrace
