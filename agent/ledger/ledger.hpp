// The memory of the agent: which version of which file went where, and every attempt that was
// made. The folders are the truth; losing the ledger loses history, never files.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/job/candidate.hpp"
#include "agent/job/job.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// What a folder wants of a file that has settled.
struct TargetSpec {
  std::string target;     // "webp"
  std::string converter;  // name of a [converter.NAME]
};

struct NewVersion {
  Candidate candidate;
  std::vector<TargetSpec> targets;
};

enum class Known {
  New,      // the name was never seen: to be admitted
  Changed,  // seen in other versions, or replaced by another or gone since: to be admitted
  Waiting,  // seen; some target is not final yet
  Done,     // seen; every target is final
};

// What lies at an output name, as the outbox told it after publishing.
struct OutputRecord {
  JobId job = 0;
  std::string outbox;  // Outbox::id()
  Name name;
  std::uint64_t size = 0;
  std::string version;         // opaque, Outbox's own
  std::string sha256;          // hex
  std::string source_version;  // of the candidate that it was made from
  std::string content_sha256;  // hex, of that candidate's bytes
};

// A name for an output. Names are compared by `folded` (case-folded, NFC; supplied by deliver).
struct NameChoice {
  Name name;
  std::string folded;
};

// Written before the request goes out.
struct AttemptStart {
  JobId job = 0;
  std::string key;             // Idempotency-Key
  std::string content_sha256;  // hex
  std::uint64_t bytes = 0;     // of the source
  // The last attempt under this key is older than the idempotency window and its outcome is
  // unknown: this one may be billed a second time. Counted and listed.
  bool possible_extra_bill = false;
  // The output name to reserve by the same change, in this outbox, where no other source owns it.
  // For a job that has none yet and whose name has no other versions; any other asks
  // reserve_name() before.
  std::optional<NameChoice> name = {};
  std::string outbox = {};
};

enum class Billing { No, Yes, Unknown };  // not billed; answered 2xx; whole request sent, no answer

struct AttemptEnd {
  std::optional<ErrorKind> kind;  // nothing: success
  std::string reason;             // bounded, printable
  int http_status = 0;            // 0 where no answer came
  Billing billing = Billing::No;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::string bad_sha256;  // of an answer that could not be believed
};

// Where a job goes when its worker lets go of it.
struct JobEnd {
  JobState state = JobState::Delivered;  // Delivered, Skipped, Failed, Cancelled or Waiting
  std::optional<ErrorKind> kind;
  std::string reason;                    // bounded, printable; why it failed, waits or was skipped
  std::optional<WallTime> next_attempt;  // Waiting only: not before
  bool counts = false;                   // Waiting only: an attempt was used up
  bool deferred = false;                 // Waiting only: past its quick attempts
  bool result_kept = false;              // Waiting only: the temporary of begin_delivery stays
  std::optional<OutputRecord> output;    // Delivered; Skipped where the output is ours
};

struct SourceSummary {  // all targets of one version
  SourceRowId row = 0;
  Candidate candidate;
  int waiting = 0, delivered = 0, skipped = 0, failed = 0, cancelled = 0;
  int without_result = 0;    // of those skipped: what lies there is not ours, or of another version
  std::string first_reason;  // of the first failed target
  std::string action;  // what was already done with the source: "", "archived", "deleted", ...
  bool all_final() const { return waiting == 0; }
};

struct Pruned {
  std::int64_t removed = 0;  // versions
  bool finished = false;     // false: call again for the rest
};

struct FolderCounts {  // jobs
  std::int64_t waiting = 0, converting = 0, delivered = 0, skipped = 0, failed = 0, cancelled = 0;
  // The count that a state belongs to; Delivering counts as converting.
  std::int64_t& of(JobState state);
};
using Counts = std::map<std::string, FolderCounts>;  // by folder

// A row that was Delivering when the last run ended, or whose result was kept.
struct DeliveryInProgress {
  Job job;
  std::string outbox;
  Name final_name;
  Name temporary_name;
  std::string sha256;
  std::uint64_t size = 0;
  std::optional<OutputRecord> replaces;
};

struct OutputPlace {  // one directory of a folder's outbox, told by a name in it
  std::string folder;
  std::string outbox;  // Outbox::id()
  Name name;
};

// Thread-safe. Calls marked [durable] return after the change is on disk (they share one commit
// with whatever else is waiting); other changes return at once, wait only while thousands of
// changes are queued, and are committed in order with the durable ones. Questions are answered
// consistently with every change said before, and wait for what is queued before them.
// A failed write is an Error of kind Environment (disk full, busy) and nothing was changed; no paid
// request may be sent without a successful begin_attempt. When a change that had returned at once
// cannot be written, the next durable call is not carried out and returns that error instead: what
// was not admitted then is found again by the next scan. Changes marked [until written] return at
// once as well, and are repeated in their order until they are on disk; what is not by the end of
// the process, recovery makes good. A Defect of any of these shows in flush().
class Ledger {
 public:
  virtual ~Ledger() = default;

  // -- intake ---------------------------------------------------------------------------------
  virtual Result<Known> look_up(const Candidate& candidate) = 0;
  // The same for many in one go, in their order: what a scan calls.
  virtual Result<std::vector<Known>> look_up_all(std::span<const Candidate> candidates) = 0;
  // Inserts the version and its targets (idempotent); it is the current one of its name from now
  // on. Waiting targets of the other versions become Cancelled ("superseded"), unless a worker has
  // them. A version that comes back after another one goes to Waiting again, but for targets whose
  // output was last made from exactly this version. Configuration, and nothing is admitted, if
  // there are more than 256 targets.
  virtual Result<void> admit(const Candidate& candidate, std::span<const TargetSpec> targets,
                             WallTime now) = 0;
  // The same for many, one commit. [durable]
  virtual Result<void> admit_all(std::span<const Candidate> candidates,
                                 std::span<const TargetSpec> targets, WallTime now) = 0;
  // The same for candidates that want different targets, one commit. [durable]
  virtual Result<void> admit_each(std::span<const NewVersion> admissions, WallTime now) = 0;

  // -- work -----------------------------------------------------------------------------------
  // Up to `n` jobs that may start by `now` and that nobody has: fresh ones and deferred ones are
  // asked for apart, so that retries never starve new work. Oldest first.
  enum class Lane { Fresh, Deferred };
  virtual Result<std::vector<Job>> claim(std::string_view folder, Lane lane, std::size_t n,
                                         WallTime now) = 0;
  // When the first waiting job of any folder that becomes due after `after` and that nobody has
  // does so; nothing if none does. What was due by then, claim() has offered. A time farther away
  // than any that is asked for was written while the clock was wrong: such jobs are due at once.
  static constexpr std::chrono::hours kFarthestDue{48};
  virtual Result<std::optional<WallTime>> next_due(WallTime after) = 0;
  // The converter of what waits or failed in a folder, now that its settings name another one.
  // Claimed jobs keep theirs until they are released.
  virtual Result<void> set_converter(std::string_view folder, std::string_view converter) = 0;
  // Gives a claimed job back as it was.
  virtual void release(JobId job) = 0;
  // Reserves the first of `choices` that no other source owns in this outbox. An owner is a source
  // name of a folder and a target, so that a newer version of the same file gets the same name. A
  // name kept from before wins. On disk no later than the next begin_attempt. Exists if every
  // choice is taken.
  virtual Result<Name> reserve_name(JobId job, std::string_view outbox,
                                    std::span<const NameChoice> choices) = 0;
  // What we last put at this name, if we did.
  virtual Result<std::optional<OutputRecord>> output_at(std::string_view outbox,
                                                        std::string_view folded_name) = 0;
  // One row before each request. `then` is called by the ledger's thread once the row is on disk,
  // with the attempt's number, from 1; or with why it is not. It must not block. Exists, and
  // nothing is written, if the name that is to be reserved belongs to another source. [durable, but
  // returns at once]
  virtual void begin_attempt(AttemptStart start, WallTime now,
                             std::function<void(Result<int>)> then) = 0;
  // [until written]
  virtual Result<void> end_attempt(JobId job, int attempt, const AttemptEnd& end, WallTime now) = 0;
  // Converting -> Delivering. [durable]
  virtual Result<void> begin_delivery(JobId job, const OutputRecord& output,
                                      const Name& temporary_name, WallTime now) = 0;
  // Lets go of a job. `attempt` is the number that begin_attempt gave, or 0 if none was made; a
  // stale number is refused as Defect, and so is Delivered without begin_delivery. [durable]
  virtual Result<SourceSummary> finish(JobId job, int attempt, const JobEnd& end, WallTime now) = 0;
  // The same for a job that ended well in a folder where nothing is done with sources; once all
  // targets of the version are final, its action is "kept". [until written]
  virtual Result<void> finish_and_keep(JobId job, int attempt, const JobEnd& end, WallTime now) = 0;
  // Archived, quarantined, deleted, kept, or why not. To be called for every version that became
  // all final; until then pending_source_actions() lists it.
  virtual Result<void> record_source_action(SourceRowId row, std::string_view action,
                                            WallTime now) = 0;

  // -- start and end --------------------------------------------------------------------------
  // They are claimed by this call; each is ended by finish() with attempt 0.
  virtual Result<std::vector<DeliveryInProgress>> interrupted_deliveries() = 0;
  // Versions whose targets are all final but whose source action is not recorded yet.
  virtual Result<std::vector<SourceSummary>> pending_source_actions() = 0;
  // Where a job was cut off or let go while it delivered, one name for each directory: a temporary
  // file may be left there. Kept until leftovers_removed(), over any number of runs.
  virtual Result<std::vector<OutputPlace>> leftover_places() = 0;
  virtual Result<void> leftovers_removed(std::string_view folder, std::string_view outbox) = 0;
  virtual bool was_created() const = 0;  // this run made a new, empty ledger
  // Why the old file was moved aside and the ledger made anew; empty if it was not.
  virtual const std::string& rebuilt_because() const = 0;
  // Environment if the file was replaced or removed beneath us, or a damage was met: no paid call
  // may be made then. To be asked each minute.
  virtual Result<void> healthy() = 0;
  virtual Result<void> begin_run(std::string_view command, WallTime now) = 0;
  virtual Result<void> end_run(std::string_view outcome, WallTime now) = 0;
  // Waits until everything said before is on disk. [durable]
  virtual Result<void> flush() = 0;

  // -- small memories: quiet time a folder has learnt, pauses ---------------------------------
  virtual Result<void> remember(std::string_view key, std::string_view value) = 0;
  virtual Result<std::optional<std::string>> recall(std::string_view key) = 0;

  // -- for people -----------------------------------------------------------------------------
  // Puts one Failed job (or, with 0, every Failed one) back to Waiting; how many.
  virtual Result<int> retry(JobId job, WallTime now) = 0;
  virtual Result<int> retry_each(std::span<const JobId> jobs, WallTime now) = 0;
  // Kept, not counted: cheap however many rows there are.
  virtual Result<Counts> counts() = 0;
  // Attempts since then that were or may have been billed; for the monthly budget.
  virtual Result<std::int64_t> attempts_billed_since(std::string_view converter,
                                                     WallTime since) = 0;
  // Forgets versions seen before `older_than` that are not among the last `keep`, all final, and
  // replaced by a newer version or no longer in the inbox (action archived, quarantined, deleted,
  // superseded, gone); a file that was kept there is never forgotten. Nor is whose an output
  // name is: a later file of that name replaces its own result. Attempts of that age go as
  // well, but for possible extra bills. Does a bounded piece of the work. [durable]
  virtual Result<Pruned> prune(WallTime older_than, std::int64_t keep) = 0;
};

struct JobView {  // a row as people see it
  JobId id = 0;
  Candidate candidate;
  std::string target, converter, state, kind, reason, output_name, outbox, source_action;
  int attempts = 0;  // requests that were made for it, ever
  int possible_extra_bills = 0;
  int http_status = 0;  // Failed: of the last request, 0 where no answer came
  std::optional<WallTime> seen, first_tried, finished, next_attempt;
};
struct Latency {
  double p50_ms = 0, p95_ms = 0, p99_ms = 0;
  std::int64_t count = 0;
};

// Reads while an agent writes, over a connection of its own, and never checkpoints. One thread.
class LedgerReader {
 public:
  virtual ~LedgerReader() = default;
  virtual Result<Counts> counts_by_folder() = 0;                        // kept, not counted: cheap
  virtual Result<std::vector<JobView>> failures(std::size_t most) = 0;  // the newest first
  // Those with a larger id, in the order of ids.
  virtual Result<std::vector<JobView>> failures_behind(JobId id, std::size_t most) = 0;
  virtual Result<std::vector<JobView>> waiting(std::size_t most) = 0;
  virtual Result<std::vector<JobView>> history(std::string_view folder, const Name& name) = 0;
  virtual Result<Latency> latency(std::string_view converter, WallTime since) = 0;
  virtual Result<std::int64_t> attempts_since(std::string_view converter, WallTime since) = 0;
  virtual Result<std::int64_t> possible_extra_bills() = 0;
  // The jobs of these requests, in whatever state; that of the newest request first.
  virtual Result<std::vector<JobView>> jobs_with_possible_extra_bills(std::size_t most) = 0;
  virtual Result<std::optional<std::string>> recall(std::string_view key) = 0;
};

}  // namespace millrace
