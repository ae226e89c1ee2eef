// Start, end, memories and pruning.
#include <algorithm>
#include <array>

#include "agent/ledger/ledger_core.hpp"
#include "platform/base/sha256.hpp"

namespace millrace {
namespace {

using sqlite::Bytes;
using sqlite::Rows;
using sqlite::Statement;

constexpr int kCrashesUntilFailed = 3;
constexpr std::string_view kDiedOfIt = "the agent stopped three times while working on this file";
constexpr int kVersionsAPiece = 5000;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string digest_to_bytes(std::string_view hex) {
  constexpr std::size_t kDigits = 64;
  if (hex.size() != kDigits) return std::string(hex);
  std::string bytes(kDigits / 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::string(hex);
    bytes[i] = static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::string digest_to_hex(std::string_view bytes) {
  constexpr std::size_t kBytes = 32;
  if (bytes.size() != kBytes) return std::string(bytes);
  return to_hex(std::as_bytes(std::span(bytes)));
}

Result<std::unique_ptr<LedgerCore>> LedgerCore::make(OpenedFile file, WallTime now) {
  auto statements = Statements::prepare(file.database);
  if (!statements) return std::unexpected(statements.error());
  std::unique_ptr<LedgerCore> core(
      new LedgerCore(std::move(file.database), std::move(*statements)));
  auto recovered = core->recover(now);
  if (recovered) recovered = core->commit();
  if (!recovered) {
    core->rollback();
    return std::unexpected(recovered.error());
  }
  return core;
}

Result<void> LedgerCore::begin() {
  if (database_.in_transaction()) return {};
  return database_.exec("BEGIN IMMEDIATE");
}

Result<void> LedgerCore::commit() {
  if (database_.in_transaction()) {
    if (auto done = database_.exec("COMMIT"); !done) return done;
  }
  undo_.clear();
  return {};
}

void LedgerCore::rollback() {
  // SQLite may have rolled back by itself, and a failed rollback leaves nothing to undo either.
  if (database_.in_transaction()) (void)database_.exec("ROLLBACK");
  for (auto before = undo_.rbegin(); before != undo_.rend(); ++before) {
    if (!before->claim) {
      claims_.erase(before->job);
      continue;
    }
    Claim& claim = claims_[before->job];
    const bool lost = claim.lost || before->answered_early;
    claim = std::move(*before->claim);
    claim.lost = claim.lost || lost;
  }
  undo_.clear();
  claimed_up_to_.clear();
}

Result<void> LedgerCore::recover(WallTime now) {
  struct Left {
    JobId id;
    JobState state;
    int crashes;
  };
  std::vector<Left> left;
  Statement& list = sql_[Sql::ReadRunning];
  list.bind();
  {
    Rows rows(list);
    while (true) {
      const auto more = rows.next();
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
      const auto state = job_state_from(rows->view(1));
      if (!state) return std::unexpected(state.error());
      left.push_back({rows->integer(0), *state, static_cast<int>(rows->integer(2)) + 1});
    }
  }
  if (left.empty()) return {};
  if (auto begun = begin(); !begun) return begun;
  for (Left& job : left) {
    // A delivery that was cut off is already paid for: whether its file is there decides.
    const bool died = job.state == JobState::Converting && job.crashes >= kCrashesUntilFailed;
    if (job.state == JobState::Converting) job.state = died ? JobState::Failed : JobState::Waiting;
    Statement& update = sql_[Sql::SetCrashed];
    update.bind(to_string(job.state), died ? to_string(ErrorKind::Defect) : std::string_view(),
                died ? kDiedOfIt : std::string_view(), job.crashes, died ? to_unix_ms(now) : 0,
                job.id);
    if (auto ok = update.run(); !ok) return ok;
    if (!died) continue;
    const auto summary = summary_of(job.id / kTargetsPerVersion);
    if (!summary) return std::unexpected(summary.error());
    if (!summary->all_final()) continue;
    Statement& due = sql_[Sql::SetActionIfNone];
    due.bind(std::string_view("due"), 0, summary->row);
    if (auto ok = due.run(); !ok) return ok;
  }
  return {};
}

Result<std::vector<DeliveryInProgress>> LedgerCore::interrupted_deliveries() {
  std::vector<DeliveryInProgress> found;
  Statement& list = sql_[Sql::JobsDelivering];
  list.bind();
  Rows rows(list);
  while (true) {
    const auto more = rows.next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return found;
    if (claims_.contains(rows->integer(0))) continue;
    Claim claim = read_claim(*rows.operator->());
    if (claim.state != JobState::Delivering) continue;
    DeliveryInProgress delivery;
    delivery.job = claim.job;
    delivery.outbox = claim.outbox;
    delivery.final_name = claim.job.output_name;
    delivery.temporary_name = rows->text(21);
    delivery.sha256 = digest_to_hex(rows->view(22));
    delivery.size = static_cast<std::uint64_t>(rows->integer(23));
    auto replaces = output_at(claim.outbox, claim.folded);
    if (!replaces) return std::unexpected(replaces.error());
    delivery.replaces = std::move(*replaces);
    note_before_change(claim.job.id);
    claims_[claim.job.id] = std::move(claim);
    found.push_back(std::move(delivery));
  }
}

Result<std::vector<SourceSummary>> LedgerCore::pending_source_actions() {
  std::vector<SourceSummary> found;
  Statement& list = sql_[Sql::DueActions];
  list.bind();
  Rows rows(list);
  while (true) {
    const auto more = rows.next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return found;
    auto summary = summary_of(rows->integer(0));
    if (!summary) return std::unexpected(summary.error());
    found.push_back(std::move(*summary));
  }
}

Result<void> LedgerCore::begin_run(std::string_view command, WallTime now) {
  if (auto begun = begin(); !begun) return begun;
  Statement& insert = sql_[Sql::BeginRun];
  insert.bind(command, to_unix_ms(now));
  if (auto ok = insert.run(); !ok) return ok;
  run_ = database_.last_id();
  return {};
}

Result<void> LedgerCore::end_run(std::string_view outcome, WallTime now) {
  if (auto begun = begin(); !begun) return begun;
  Statement& update = sql_[Sql::EndRun];
  update.bind(outcome, to_unix_ms(now), run_);
  return update.run();
}

Result<void> LedgerCore::remember(std::string_view key, std::string_view value) {
  if (auto begun = begin(); !begun) return begun;
  Statement& insert = sql_[Sql::Remember];
  insert.bind(key, Bytes{value});
  return insert.run();
}

Result<std::optional<std::string>> LedgerCore::recall(std::string_view key) {
  Statement& find = sql_[Sql::Recall];
  find.bind(key);
  Rows found(find);
  const auto row = found.next();
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  return found->text(0);
}

Result<int> LedgerCore::retry(JobId job) {
  if (auto begun = begin(); !begun) return std::unexpected(begun.error());
  std::vector<JobId> jobs;
  if (job != 0) {
    jobs.push_back(job);
  } else {
    Statement& list = sql_[Sql::FailedJobs];
    list.bind();
    Rows rows(list);
    while (true) {
      const auto more = rows.next();
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
      jobs.push_back(rows->integer(0));
    }
  }
  int count = 0;
  for (const JobId id : jobs) {
    Statement& update = sql_[Sql::RetryOne];
    update.bind(id);
    if (auto ok = update.run(); !ok) return std::unexpected(ok.error());
    if (database_.changes() == 0) continue;
    ++count;
    Statement& action = sql_[Sql::SetAction];
    action.bind(std::string_view(""), 0, id / kTargetsPerVersion);
    if (auto ok = action.run(); !ok) return std::unexpected(ok.error());
  }
  claimed_up_to_.clear();
  return count;
}

Result<std::int64_t> LedgerCore::attempts_billed_since(std::string_view converter, WallTime since) {
  Statement& count = sql_[Sql::BilledSince];
  count.bind(to_unix_ms(since), converter);
  Rows rows(count);
  const auto row = rows.next();
  if (!row) return std::unexpected(row.error());
  return rows->integer(0);
}

Result<bool> LedgerCore::may_forget(const Statement& row, std::int64_t older_than) {
  constexpr std::array<std::string_view, 4> kGone{"archived", "quarantined", "deleted",
                                                  "superseded"};
  if (row.integer(1) >= older_than) return false;
  const auto summary = summary_of(row.integer(0));
  if (!summary) return std::unexpected(summary.error());
  if (!summary->all_final()) return false;
  for (const std::string_view gone : kGone) {
    if (row.view(2) == gone) return true;
  }
  Statement& newer = sql_[Sql::NewerVersion];
  newer.bind(row.view(3), Bytes{row.view(4)}, row.integer(0));
  Rows rows(newer);
  return rows.next();
}

Result<void> LedgerCore::forget(SourceRowId row) {
  const JobId first = row * kTargetsPerVersion;
  const JobId last = first + kTargetsPerVersion - 1;
  std::vector<JobId> jobs;
  Statement& list = sql_[Sql::TargetsOfVersion];
  list.bind(first, last);
  {
    Rows rows(list);
    while (true) {
      const auto more = rows.next();
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
      jobs.push_back(rows->integer(0));
    }
  }
  for (const JobId job : jobs) {
    Statement& outputs = sql_[Sql::DeleteOutputs];
    outputs.bind(job, job);
    if (auto ok = outputs.run(); !ok) return ok;
  }
  Statement& remove_jobs = sql_[Sql::DeleteJobs];
  remove_jobs.bind(first, last);
  if (auto ok = remove_jobs.run(); !ok) return ok;
  Statement& remove_version = sql_[Sql::DeleteVersion];
  remove_version.bind(row);
  return remove_version.run();
}

Result<Pruned> LedgerCore::prune(WallTime older_than, std::int64_t keep) {
  if (auto begun = begin(); !begun) return std::unexpected(begun.error());
  Pruned pruned;
  std::vector<SourceRowId> old;
  int looked_at = 0;
  Statement& list = sql_[Sql::PruneCandidates];
  // The newest row stays in any case, so that no id is given twice.
  list.bind(pruned_up_to_, std::max<std::int64_t>(keep, 1));
  {
    Rows rows(list);
    while (looked_at < kVersionsAPiece) {
      const auto more = rows.next();
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
      ++looked_at;
      pruned_up_to_ = rows->integer(0);
      const auto gone = may_forget(*rows.operator->(), to_unix_ms(older_than));
      if (!gone) return std::unexpected(gone.error());
      if (*gone) old.push_back(rows->integer(0));
    }
  }
  for (const SourceRowId row : old) {
    if (auto ok = forget(row); !ok) return std::unexpected(ok.error());
  }
  Statement& attempts = sql_[Sql::DeleteAttempts];
  attempts.bind(to_unix_ms(older_than), kVersionsAPiece);
  if (auto ok = attempts.run(); !ok) return std::unexpected(ok.error());
  pruned.removed = static_cast<std::int64_t>(old.size());
  pruned.finished = looked_at < kVersionsAPiece && database_.changes() < kVersionsAPiece;
  if (pruned.finished) pruned_up_to_ = 0;
  return pruned;
}

}  // namespace millrace
