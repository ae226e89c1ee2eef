// What the ledger does, without threads: everything runs on the writer thread. Changes gather in
// one transaction until commit().
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/ledger/folder_tally.hpp"
#include "agent/ledger/ledger.hpp"
#include "agent/ledger/schema.hpp"
#include "agent/ledger/sqlite.hpp"
#include "agent/ledger/statements.hpp"

namespace millrace {

// A job that a worker (or the queue's window) has. Nobody else changes its row, so this is the
// row's current content and the hot path needs no SELECT. Times are Unix milliseconds, 0 for none.
struct Claim {
  Job job;
  JobState state = JobState::Waiting;
  std::int64_t next_attempt = 0;
  int last_number = 0;           // of all attempts ever made for the job
  int attempt = 0;               // the number of the attempt made under this claim, 0 for none
  std::int64_t attempt_row = 0;  // its row while it has no end
  int crashes = 0;
  bool opened_key = false;  // this attempt is the first one under open_key
  std::string outbox, folded, content;
  bool replaced = false;  // another version of the name was admitted since
  bool lost = false;      // a change that its holder believes in was rolled back
  // Where in the undo list of which transaction its content before is noted; 0: in none.
  std::uint64_t noted_in = 0;
  std::size_t noted_at = 0;
};

class LedgerCore {
 public:
  // Ends what a crash left open.
  static Result<std::unique_ptr<LedgerCore>> make(OpenedFile file, WallTime now);

  // A crash is shared by all jobs that were Converting: each alone would have to be the cause three
  // times, and one that is always in company takes longer to be convicted.
  static constexpr int kWholeCrash = 12;
  static constexpr int kCrashesUntilFailed = 3 * kWholeCrash;
  static constexpr std::string_view kDiedOfIt =
      "the agent stopped at least three times while working on this file";

  // -- transaction ----------------------------------------------------------------------------
  bool dirty() const { return database_.in_transaction(); }
  Result<void> commit();
  void rollback();
  // True after a call that SQLite failed: what was gathered must be rolled back.
  bool take_failure() { return database_.take_failure(); }
  // Whether the holder of a job hears of the next operation's success before it is on disk.
  void answers_early(bool early) { answers_early_ = early; }
  sqlite::Database& database() { return database_; }

  // -- as in Ledger -----------------------------------------------------------------------------
  Result<Known> look_up(const Candidate& candidate);
  Result<std::vector<Known>> look_up_all(std::span<const Candidate> candidates);
  Result<void> admit(const Candidate& candidate, std::span<const TargetSpec> targets, WallTime now);
  Result<std::vector<Job>> claim(std::string_view folder, Ledger::Lane lane, std::size_t n,
                                 WallTime now);
  Result<std::optional<WallTime>> next_due(WallTime after);
  Result<std::optional<WallTime>> first_due(WallTime after);
  Result<void> set_converter(std::string_view folder, std::string_view converter);
  void release(JobId job);
  Result<Name> reserve_name(JobId job, std::string_view outbox,
                            std::span<const NameChoice> choices);
  Result<std::optional<OutputRecord>> output_at(std::string_view outbox, std::string_view folded);
  Result<int> begin_attempt(const AttemptStart& start, WallTime now);
  Result<void> end_attempt(JobId job, int attempt, const AttemptEnd& end, WallTime now);
  Result<void> begin_delivery(JobId job, const OutputRecord& output, const Name& temporary_name,
                              WallTime now);
  Result<SourceSummary> finish(JobId job, int attempt, const JobEnd& end, WallTime now) {
    return end_job(job, attempt, end, "due", now);
  }
  Result<void> finish_and_keep(JobId job, int attempt, const JobEnd& end, WallTime now);
  Result<void> record_source_action(SourceRowId row, std::string_view action, WallTime now);
  Result<std::vector<DeliveryInProgress>> interrupted_deliveries();
  Result<std::vector<SourceSummary>> pending_source_actions();
  Result<std::vector<OutputPlace>> leftover_places();
  Result<void> leftovers_removed(std::string_view folder, std::string_view outbox);
  Result<void> begin_run(std::string_view command, WallTime now);
  Result<void> end_run(std::string_view outcome, WallTime now);
  Result<void> remember(std::string_view key, std::string_view value);
  Result<std::optional<std::string>> recall(std::string_view key);
  Result<int> retry(JobId job);
  Result<Counts> counts();
  Result<std::int64_t> attempts_billed_since(std::string_view converter, WallTime since);
  Result<Pruned> prune(WallTime older_than, std::int64_t keep);

 private:
  LedgerCore(sqlite::Database database, Statements statements)
      : database_(std::move(database)), sql_(std::move(statements)) {}

  Result<void> begin();  // a transaction, unless one is open
  Result<void> recover(WallTime now);
  Result<void> note_leftover(const OutputPlace& left);
  Result<void> write_leftover_places(const std::vector<OutputPlace>& places);
  Result<void> load_counts();
  Result<void> write_counts();
  // The claim, about to be changed; Defect if nobody has the job.
  Result<Claim*> change(JobId job);
  void note_before_change(JobId job);
  Result<SourceSummary> summary_of(SourceRowId row);
  Result<void> count_targets(SourceSummary& summary);
  struct VersionRow {
    SourceRowId id;
    bool same;  // the version that was asked about
    bool replaced;
  };
  struct TargetRow {
    JobId id;
    std::string target;
    JobState state;
    std::string folder, outbox, folded;
  };
  Result<std::vector<VersionRow>> versions_of(const Candidate& candidate);
  Result<std::vector<TargetRow>> targets_of(SourceRowId row);
  Result<void> supersede(const VersionRow& older, WallTime now);
  Result<void> insert_targets(SourceRowId row, int ordinal, const Candidate& candidate,
                              std::span<const TargetSpec> targets);
  Result<void> add_targets(SourceRowId row, const Candidate& candidate,
                           std::span<const TargetSpec> targets);
  Result<void> come_back(SourceRowId row, const Candidate& candidate,
                         std::span<const TargetSpec> targets);
  Result<void> reopen(const TargetRow& target, std::string_view converter);
  Result<void> overwritten_by(const Claim& late);
  Result<void> set_action(SourceRowId row, std::string_view action, std::int64_t acted);
  Result<void> set_action_if_none(SourceRowId row, std::string_view action, std::int64_t acted);
  Result<void> take(sqlite::Statement& rows, std::size_t n, std::vector<Job>& out);
  Claim read_claim(const sqlite::Statement& row) const;
  Result<void> reserve_for(Claim& claim, std::string_view outbox, const NameChoice& name);
  // `action`: of the version, once all of its targets are final.
  Result<SourceSummary> end_job(JobId job, int attempt, const JobEnd& said, std::string_view action,
                                WallTime now);
  Result<void> write_end(const Claim& claim, const JobEnd& end, WallTime now);
  Result<void> write_output(Claim& claim, const OutputRecord& output);
  Result<bool> may_forget(const sqlite::Statement& row, std::int64_t older_than);
  Result<void> forget(SourceRowId row);

  sqlite::Database database_;
  Statements sql_;
  std::unordered_map<JobId, Claim> claims_;
  // Per folder: all waiting fresh jobs without a time and with an id up to this one are claimed.
  std::map<std::string, JobId, std::less<>> claimed_up_to_;
  struct Before {
    JobId job;
    std::optional<Claim> claim;
    bool answered_early;
  };
  std::vector<Before> undo_;       // one a job that this transaction has changed
  std::uint64_t transaction_ = 1;  // its number
  bool answers_early_ = false;
  FolderTally counts_;
  std::int64_t run_ = 0;
  SourceRowId pruned_up_to_ = 0;
};

inline JobId first_job(SourceRowId row) { return row * kTargetsPerVersion; }
inline JobId last_job(SourceRowId row) { return first_job(row) + kTargetsPerVersion - 1; }

// Digests are kept as bytes; a text that is not hex is kept as it is.
std::string digest_to_bytes(std::string_view hex);
std::string digest_to_hex(std::string_view bytes);

}  // namespace millrace
