// Intake: which versions there are, and which of a name is the current one.
#include <algorithm>

#include "agent/ledger/ledger_core.hpp"

namespace millrace {

using sqlite::Bytes;
using sqlite::each_row;
using sqlite::Rows;
using sqlite::Statement;

Result<Known> LedgerCore::look_up(const Candidate& candidate) {
  Statement& find = sql_[Sql::LookUp];
  find.bind(std::string_view(candidate.folder), Bytes{candidate.name}, Bytes{candidate.version});
  Rows found(find);
  const auto known = found.next();
  if (!known) return std::unexpected(known.error());
  if (!*known) {
    const auto others = versions_of(candidate);
    if (!others) return std::unexpected(others.error());
    return others->empty() ? Known::New : Known::Changed;
  }
  // A version that came back after another one is to be admitted again.
  if (found->integer(0) != 0) return Known::Changed;
  return found->integer(1) != 0 ? Known::Waiting : Known::Done;
}

Result<std::vector<Known>> LedgerCore::look_up_all(std::span<const Candidate> candidates) {
  // One read transaction for all: each of its own would lock and unlock the file.
  const bool own = !database_.in_transaction();
  if (own) {
    if (auto begun = database_.exec("BEGIN"); !begun) return std::unexpected(begun.error());
  }
  std::vector<Known> all;
  all.reserve(candidates.size());
  Result<void> outcome;
  for (const Candidate& candidate : candidates) {
    const auto known = look_up(candidate);
    if (!known) {
      outcome = std::unexpected(known.error());
      break;
    }
    all.push_back(*known);
  }
  if (own && database_.in_transaction()) {
    if (auto ended = database_.exec("COMMIT"); outcome && !ended) outcome = ended;
  }
  if (!outcome) return std::unexpected(outcome.error());
  return all;
}

Result<std::vector<LedgerCore::VersionRow>> LedgerCore::versions_of(const Candidate& candidate) {
  std::vector<VersionRow> all;
  Statement& find = sql_[Sql::FindVersions];
  find.bind(std::string_view(candidate.folder), Bytes{candidate.name});
  const auto done = each_row(find, [&](const Statement& row) -> Result<void> {
    all.push_back({row.integer(0), row.view(1) == candidate.version, row.integer(2) != 0});
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return all;
}

Result<std::vector<LedgerCore::TargetRow>> LedgerCore::targets_of(SourceRowId row) {
  std::vector<TargetRow> all;
  Statement& list = sql_[Sql::TargetsOfVersion];
  list.bind(first_job(row), last_job(row));
  const auto done = each_row(list, [&](const Statement& job) -> Result<void> {
    const auto state = job_state_from(job.view(2));
    if (!state) return std::unexpected(state.error());
    all.push_back({job.integer(0), job.text(1), *state, job.text(3), job.text(4), job.text(5)});
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return all;
}

Result<void> LedgerCore::admit(const Candidate& candidate, std::span<const TargetSpec> targets,
                               WallTime now) {
  if (auto begun = begin(); !begun) return begun;
  const auto versions = versions_of(candidate);
  if (!versions) return std::unexpected(versions.error());
  const auto known = std::ranges::find(*versions, true, &VersionRow::same);
  const bool is_new = known == versions->end();
  if (!is_new && !known->replaced) return add_targets(known->id, candidate, targets);
  SourceRowId row = 0;
  if (is_new) {
    Statement& insert = sql_[Sql::InsertVersion];
    insert.bind(std::string_view(candidate.folder), Bytes{candidate.name}, Bytes{candidate.version},
                candidate.size, to_unix_ms(now));
    if (auto ok = insert.run(); !ok) return ok;
    row = database_.last_id();
  } else {
    row = known->id;
  }
  for (const VersionRow& other : *versions) {
    if (other.id == row) continue;
    if (auto ok = supersede(other, now); !ok) return ok;
  }
  if (is_new) return insert_targets(row, 0, candidate, targets);
  return come_back(row, candidate, targets);
}

Result<void> LedgerCore::insert_targets(SourceRowId row, int ordinal, const Candidate& candidate,
                                        std::span<const TargetSpec> targets) {
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const TargetSpec& spec = targets[i];
    const auto earlier = targets.first(i);
    if (std::ranges::find(earlier, spec.target, &TargetSpec::target) != earlier.end()) continue;
    Statement& insert = sql_[Sql::InsertJob];
    insert.bind(first_job(row) + ordinal++, std::string_view(candidate.folder),
                std::string_view(spec.target), std::string_view(spec.converter));
    if (auto ok = insert.run(); !ok) return ok;
    counts_.add(candidate.folder, JobState::Waiting, 1);
  }
  return {};
}

Result<void> LedgerCore::add_targets(SourceRowId row, const Candidate& candidate,
                                     std::span<const TargetSpec> targets) {
  const auto present = targets_of(row);
  if (!present) return std::unexpected(present.error());
  std::vector<TargetSpec> missing;
  for (const TargetSpec& spec : targets) {
    const auto same = std::ranges::find(*present, spec.target, &TargetRow::target);
    if (same == present->end()) missing.push_back(spec);
  }
  if (missing.empty()) return {};
  const auto ordinal =
      static_cast<int>(present->empty() ? 0 : present->back().id - first_job(row) + 1);
  if (ordinal + static_cast<std::int64_t>(missing.size()) > kTargetsPerVersion) {
    return fail(ErrorKind::Configuration, "a file has more than 256 targets");
  }
  // The version is not final any more, so its source action is to be decided again. A job id below
  // the mark is new: the mark no longer holds.
  claimed_up_to_.erase(candidate.folder);
  if (auto ok = set_action(row, "", 0); !ok) return ok;
  return insert_targets(row, ordinal, candidate, missing);
}

Result<void> LedgerCore::supersede(const VersionRow& older, WallTime now) {
  if (!older.replaced) {
    Statement& mark = sql_[Sql::SetReplaced];
    mark.bind(1, older.id);
    if (auto ok = mark.run(); !ok) return ok;
  }
  const auto targets = targets_of(older.id);
  if (!targets) return std::unexpected(targets.error());
  bool cancelled = false;
  for (const TargetRow& target : *targets) {
    if (const auto claim = claims_.find(target.id); claim != claims_.end()) {
      note_before_change(target.id);
      claim->second.replaced = true;
    } else if (target.state == JobState::Waiting) {
      Statement& cancel = sql_[Sql::CancelJob];
      cancel.bind(std::string_view("superseded"), to_unix_ms(now), target.id);
      if (auto ok = cancel.run(); !ok) return ok;
      counts_.move(target.folder, JobState::Waiting, JobState::Cancelled);
      cancelled = true;
    }
  }
  if (!cancelled) return {};
  const auto summary = summary_of(older.id);
  if (!summary) return std::unexpected(summary.error());
  if (!summary->all_final()) return {};
  return set_action_if_none(older.id, "superseded", to_unix_ms(now));
}

// The current version once more: what lies at its output name need not be made from it.
Result<void> LedgerCore::come_back(SourceRowId row, const Candidate& candidate,
                                   std::span<const TargetSpec> targets) {
  Statement& mark = sql_[Sql::SetReplaced];
  mark.bind(0, row);
  if (auto ok = mark.run(); !ok) return ok;
  const auto present = targets_of(row);
  if (!present) return std::unexpected(present.error());
  for (const TargetRow& target : *present) {
    if (const auto claim = claims_.find(target.id); claim != claims_.end()) {
      note_before_change(target.id);
      claim->second.replaced = false;
      continue;
    }
    const auto wanted = std::ranges::find(targets, target.target, &TargetSpec::target);
    if (!is_final(target.state) || wanted == targets.end()) continue;
    const auto output = output_at(target.outbox, target.folded);
    if (!output) return std::unexpected(output.error());
    if (*output && (*output)->job == target.id && (*output)->source_version == candidate.version) {
      continue;
    }
    if (auto ok = reopen(target, wanted->converter); !ok) return ok;
  }
  if (auto ok = add_targets(row, candidate, targets); !ok) return ok;
  const auto summary = summary_of(row);
  if (!summary) return std::unexpected(summary.error());
  return set_action(row, summary->all_final() ? "due" : "", 0);
}

Result<void> LedgerCore::reopen(const TargetRow& target, std::string_view converter) {
  Statement& again = sql_[Sql::ReopenJob];
  again.bind(converter, target.id);
  if (auto ok = again.run(); !ok) return ok;
  counts_.move(target.folder, target.state, JobState::Waiting);
  claimed_up_to_.erase(target.folder);
  return {};
}

// A version that is no longer the current one was delivered late, over the output of the current.
Result<void> LedgerCore::overwritten_by(const Claim& late) {
  const auto versions = versions_of(late.job.candidate);
  if (!versions) return std::unexpected(versions.error());
  const auto current = std::ranges::find(*versions, false, &VersionRow::replaced);
  if (current == versions->end() || current->id == late.job.source_row) return {};
  const auto targets = targets_of(current->id);
  if (!targets) return std::unexpected(targets.error());
  for (const TargetRow& target : *targets) {
    const bool settled = target.state == JobState::Delivered || target.state == JobState::Skipped;
    if (!settled || target.target != late.job.target || claims_.contains(target.id)) continue;
    if (auto ok = reopen(target, late.job.converter); !ok) return ok;
    return set_action(current->id, "", 0);
  }
  return {};
}

}  // namespace millrace
