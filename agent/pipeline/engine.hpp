// The agent as a whole: watch, settle, queue, convert, deliver, record. This is the one place where
// the stages are put together, in that order.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/buckets.hpp"
#include "agent/pipeline/dispatcher.hpp"
#include "agent/pipeline/embedded.hpp"
#include "agent/pipeline/failed_actions.hpp"
#include "agent/pipeline/folder.hpp"
#include "agent/pipeline/intake.hpp"
#include "agent/pipeline/job_run.hpp"
#include "agent/pipeline/kept_results.hpp"
#include "agent/pipeline/list_records.hpp"
#include "agent/pipeline/recovery.hpp"
#include "agent/transfer/http_client.hpp"
#include "agent/watch/root.hpp"
#include "config/settings.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/sha256.hpp"

namespace millrace {

struct EngineOptions {
  Settings settings;
  std::filesystem::path ledger_file;
  std::filesystem::path program;         // our own executable, for the embedded converter
  std::filesystem::path runtime_dir;     // sockets
  std::filesystem::path config_dir;      // secrets
  std::string command;                   // "run", "convert", ...: for the ledger's run row
  std::optional<int> workers_asked_for;  // --workers N
  int most_refusals = 0;                 // see Dispatcher::pause_after_refusals
  // Ends are told to it on workers' threads; may be empty.
  std::function<void(const Assignment&, const JobEnd&)> on_end = {};
};

struct Tally {  // since the engine started
  std::int64_t delivered = 0, skipped = 0, failed = 0, cancelled = 0, retried = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::int64_t steps_of_lists = 0;  // grows while lists that are being fetched come further
  std::int64_t ended() const { return delivered + skipped + failed + cancelled; }
};

struct FolderStatus {
  FolderView view;
  RootHealth health;
  std::string inbox, outbox;
  std::optional<Duration> inbox_stalled, outbox_stalled;
};

struct ConverterStatus {
  std::string name, url, account;
  GateView gate;
};

class Engine {
 public:
  static Result<std::unique_ptr<Engine>> start(EngineOptions options, const Clock& clock);
  ~Engine();

  // Puts new settings into force; running jobs end under the old ones. What cannot be put into
  // force (a key that cannot be read) leaves the old settings as they were.
  Result<void> reload(Settings settings);

  // Nothing is left to see, to settle, or to convert now; what waits for a time is not counted.
  bool idle() const;
  // Nothing is left to see or to settle; what was seen may wait for its converter.
  bool all_seen() const;
  std::size_t settling() const;  // files that were seen and may still be written to

  Tally tally() const;

  // Intake ends, uploads that are not complete end, answers under way get three seconds. True if
  // every thread came back; if not, the caller ends the process (exit_now).
  bool stop();

  // Counts this month's conversions anew, so that budgets open again with a new month. To be called
  // now and then.
  void refresh_budgets();
  // Forgets what is older than 90 days and gone from its inbox, a piece a call, once a day. To be
  // called every few seconds, by one thread.
  void forget_old();
  // Lets a converter that was stopped for its key (401) go on if the key is another one now. To be
  // called every few seconds, not beside reload().
  void look_at_keys();
  // The settle-and-queue loop has turned within the last minute: what the watchdog asks.
  bool alive() const;

  // -- for people; any thread ------------------------------------------------------------------
  std::vector<FolderStatus> folders() const;
  std::vector<ConverterStatus> converters() const;
  HttpClient::Counters connections() const;
  bool pause(const std::string& name);
  bool resume(const std::string& name);
  // Nothing: all folders. False if there is no folder of that name.
  bool rescan(const std::optional<std::string>& folder);
  Result<int> retry(JobId job);  // 0: all that failed
  // An event of a store says that this object changed. True if an inbox holds it.
  bool hint(const std::string& bucket, const std::string& key);
  // What the settle stage says of a file; nothing if it does not hold it.
  std::optional<std::string> explain(const std::string& folder, const Name& name) const;
  Settings settings() const;
  Ledger& ledger() { return *ledger_; }

 private:
  struct Member {
    std::shared_ptr<Folder> folder;
    std::shared_ptr<Root> root;
  };

  Engine(EngineOptions options, const Clock& clock);
  Result<void> open();
  Result<std::shared_ptr<Service>> make_service(const ConverterSettings& settings);
  Result<void> ensure_embedded();
  Result<void> set_services(const Settings& settings);
  void keep_pauses(const Settings& settings);
  void remember_pause(const std::string& name, bool paused);
  bool is_member(const std::string& folder) const;
  void count_spent(const Settings& settings);
  bool note_key(const ConverterSettings& converter);
  Result<void> add_folder(const FolderSettings& settings);
  void remove_folder(const std::string& name);
  void recover();
  void work(std::size_t worker);
  void job_finished(const Assignment& assignment, const JobEnd& end, const SourceSummary* summary);
  void act_on_source(const Folder& folder, const SourceSummary& summary);

  const EngineOptions options_;
  const Clock& clock_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<Buckets> buckets_;
  std::unique_ptr<ListRecords> lists_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Intake> intake_;
  KeptResults kept_;
  FailedActions failed_actions_;
  std::stop_source stop_;
  std::stop_source stop_now_;
  std::unique_ptr<JobTools> tools_;
  std::vector<std::jthread> workers_;

  mutable Mutex mutex_;  // settings and members; never held while an engine part is called into
  Settings settings_ GUARDED_BY(mutex_);
  std::map<std::string, Member> members_ GUARDED_BY(mutex_);
  std::unique_ptr<EmbeddedConverter>
      embedded_;                              // start and reload only, which the caller serialises
  std::size_t next_root_ = 0;                 // the same
  std::map<std::string, Digest> keys_seen_;   // the same; by converter
  std::optional<TimePoint> next_forgetting_;  // of who calls forget_old()
  std::int64_t forgotten_ = 0;                // files, the same
  // Of folders that a reload removed; kept until their threads are back, which a hung share delays.
  std::vector<std::shared_ptr<Root>> retired_roots_;  // the same

  // Relaxed counters: each is right, together they may be a moment apart.
  std::atomic<std::int64_t> delivered_{0}, skipped_{0}, failed_{0}, cancelled_{0}, retried_{0};
  std::atomic<std::uint64_t> bytes_in_{0}, bytes_out_{0};
  std::atomic<int> workers_back_{0};  // workers that have returned from their loop

  std::unique_ptr<Recovery> recovery_;  // last: its threads use all of the above
};

}  // namespace millrace
