// Forgetting what is old.
#include <algorithm>
#include <array>

#include "agent/ledger/ledger_core.hpp"

namespace millrace {
namespace {

// Of one piece: what is read, and what is removed, while other work waits.
constexpr int kReadAPiece = 20'000;
constexpr std::size_t kForgottenAPiece = 1000;

}  // namespace

using sqlite::Rows;
using sqlite::Statement;

Result<bool> LedgerCore::may_forget(const Statement& row, std::int64_t older_than) {
  constexpr std::array<std::string_view, 5> kGone{"archived", "quarantined", "deleted",
                                                  "superseded", "gone"};
  if (row.integer(1) >= older_than) return false;
  const bool replaced = row.integer(3) != 0;
  if (!replaced && std::ranges::find(kGone, row.view(2)) == kGone.end()) return false;
  const auto summary = summary_of(row.integer(0));
  if (!summary) return std::unexpected(summary.error());
  return summary->all_final();
}

// Its output name stays its own: the result may still lie there when a file of that name comes
// again.
Result<void> LedgerCore::forget(SourceRowId row) {
  const auto jobs = targets_of(row);
  if (!jobs) return std::unexpected(jobs.error());
  for (const TargetRow& job : *jobs) {
    counts_.add(job.folder, job.state, -1);
  }
  Statement& remove_jobs = sql_[Sql::DeleteJobs];
  remove_jobs.bind(first_job(row), last_job(row));
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
  bool at_end = false;
  Statement& list = sql_[Sql::PruneCandidates];
  // The newest row stays in any case, so that no id is given twice.
  list.bind(pruned_up_to_, std::max<std::int64_t>(keep, 1));
  {
    Rows rows(list);
    while (looked_at < kReadAPiece && old.size() < kForgottenAPiece) {
      const auto more = rows.next();
      if (!more) return std::unexpected(more.error());
      if (!*more) {
        at_end = true;
        break;
      }
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
  attempts.bind(to_unix_ms(older_than), static_cast<std::int64_t>(kForgottenAPiece));
  if (auto ok = attempts.run(); !ok) return std::unexpected(ok.error());
  pruned.removed = static_cast<std::int64_t>(old.size());
  pruned.finished = at_end && database_.changes() < static_cast<int>(kForgottenAPiece);
  if (pruned.finished) pruned_up_to_ = 0;
  return pruned;
}

}  // namespace millrace
