// Hands jobs to workers: the fair queue and the gates of all accounts behind one lock.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/folder.hpp"
#include "agent/pipeline/service.hpp"
#include "agent/queue/fair_queue.hpp"
#include "agent/queue/gate.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {

struct Assignment {
  Job job;
  std::shared_ptr<Folder> folder;
  std::shared_ptr<Service> service;
  TimePoint handed_out{};
};

struct FolderView {  // for status
  std::string name;
  bool paused = false;         // until a person resumes it
  std::string pause_reason;    // why, unless a person paused it
  std::string blocked_reason;  // why nothing is taken from it now, or empty
  std::optional<Duration> blocked_for;
  int converting = 0;
  std::size_t queued = 0;
};

// Thread-safe; only next() waits.
class Dispatcher {
 public:
  Dispatcher(const Clock& clock, std::size_t workers);

  void add_folder(std::shared_ptr<Folder> folder);
  // Nothing more of it is handed out; what was queued is returned, to be released.
  std::vector<Job> remove_folder(const std::string& name);
  void set_service(std::shared_ptr<Service> service, const GateRules& rules);
  void remove_service(const std::string& name);
  // The account that a converter is billed to; empty if it is not in use.
  std::string account(const std::string& converter) const;
  // What the ledger counts of a converter since `month` began: attempts that were or may have been
  // billed. Taken once a month and when the converter joined its account: in between the account's
  // gate counts by itself, requests under way included.
  void set_spent_since(WallTime month, const std::string& converter, std::int64_t conversions);
  bool wants_spent_since(WallTime month, const std::string& converter) const;

  std::size_t room(const std::string& folder, Ledger::Lane lane) const;
  void push(std::vector<Job> jobs);

  // Waits for a job that may start now; nothing after stop().
  std::optional<Assignment> next();
  void stop();

  // Jobs with equal keys (of their content, of their source) run one at a time. False: another
  // worker has the key; the job was put aside and comes back by itself, and the assignment is over.
  bool take_key(const std::string& key, const Assignment& assignment);
  void give_key_back(const std::string& key);

  // Each assignment ends with exactly one of these two for its gate, then with done().
  void request_ended(const Assignment& assignment, const Error* error, const RateNews& news,
                     Duration latency, bool maybe_billed);
  void no_request(const Assignment& assignment);
  void done(const Assignment& assignment);

  // The folder's inbox or outbox cannot be used: nothing is taken from it for a while (1 s,
  // doubling to 10 s, until unblock()).
  void block(const std::string& folder, std::string reason);
  void unblock(const std::string& folder);
  // Nothing is taken from it until release().
  void hold(const std::string& folder, std::string reason);
  void release(const std::string& folder);

  // From now on a folder of which the converter has refused this many files in a row, without one
  // success, is paused until a person resumes it: every further file may cost as well.
  void pause_after_refusals(int in_a_row);

  // For people. What was paused or goes on: the folder or converter of that name, and every other
  // converter of its account, since they share a gate; nothing if there is none. A pause outlives a
  // folder or converter that leaves and comes again.
  std::set<std::string> pause(const std::string& name);
  std::set<std::string> resume(const std::string& name);
  void keep_paused(std::string name);             // a person paused it in an earlier run
  void renew_converter(const std::string& name);  // its settings or its key are others now

  std::vector<FolderView> folders() const;
  std::optional<GateView> gate(const std::string& converter) const;
  std::size_t queued() const;
  std::size_t queued(const std::string& folder) const;
  int running() const;

 private:
  struct FolderState {
    std::shared_ptr<Folder> folder;
    bool paused = false;
    std::string pause_reason;  // as in FolderView
    int refused_in_a_row = 0;  // by the converter, without one success
    bool held = false;
    std::string blocked_reason;
    TimePoint blocked_until{};
    Duration block_for{0};
  };
  struct Account {
    std::unique_ptr<Gate> gate;
    int users = 0;                  // converters that share it
    std::optional<WallTime> month;  // whose conversions the gate knows
    std::set<std::string> counted;  // converters whose conversions of that month it knows
  };

  void note_hung(TimePoint now) REQUIRES(mutex_);
  Admission admits(const Job& job, TimePoint now) const REQUIRES(mutex_);
  bool folder_admits(const std::string& name, const FolderState& state, TimePoint now) const
      REQUIRES(mutex_);
  int running_in(const std::string& folder) const REQUIRES(mutex_);
  std::optional<TimePoint> next_change(TimePoint now) const REQUIRES(mutex_);
  std::set<std::string> sharing_account(const std::string& converter) const REQUIRES(mutex_);
  Gate* gate_of(const std::string& converter) const REQUIRES(mutex_);
  std::string account_of(const std::string& converter) const REQUIRES(mutex_);

  // Why the folder is paused from now on; nothing if it goes on.
  std::optional<std::string> count_refusal(const Assignment& assignment, const Error* error)
      REQUIRES(mutex_);

  const Clock& clock_;
  const std::size_t workers_;

  mutable Mutex mutex_;
  CondVar changed_;
  FairQueue queue_ GUARDED_BY(mutex_);
  std::map<std::string, FolderState, std::less<>> folders_ GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Service>, std::less<>> services_ GUARDED_BY(mutex_);
  std::map<std::string, Account, std::less<>> accounts_ GUARDED_BY(mutex_);
  // Outlives a folder that a reload removed: its running jobs end under their old settings.
  std::map<std::string, int, std::less<>> running_in_ GUARDED_BY(mutex_);
  std::map<std::string, std::vector<Job>> busy_keys_ GUARDED_BY(mutex_);
  std::set<std::string, std::less<>> paused_ GUARDED_BY(mutex_);  // by a person
  std::mt19937_64 random_ GUARDED_BY(mutex_);
  int most_refusals_ GUARDED_BY(mutex_) = 0;  // 0: no limit
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace millrace
