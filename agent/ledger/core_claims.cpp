// Claims and names: who has a job, and where its output goes.
#include <algorithm>

#include "agent/ledger/ledger_core.hpp"
#include "agent/ledger/schema.hpp"

namespace millrace {
namespace {

using sqlite::Bytes;
using sqlite::Rows;
using sqlite::Statement;

}  // namespace

Claim LedgerCore::read_claim(const Statement& row) const {
  Claim claim;
  Job& job = claim.job;
  job.id = row.integer(0);
  job.candidate = {row.text(4), row.text(1), static_cast<std::uint64_t>(row.integer(3)),
                   row.text(2)};
  job.target = row.text(5);
  job.converter = row.text(6);
  claim.state = job_state_from(row.view(7)).value_or(JobState::Waiting);
  job.attempts = static_cast<int>(row.integer(8));
  job.deferred = row.integer(9) != 0;
  claim.next_attempt = row.integer(10);
  claim.last_number = static_cast<int>(row.integer(11));
  claim.crashes = static_cast<int>(row.integer(12));
  job.first_tried = time_or_none(row.integer(13));
  job.open_key = row.text(14);
  job.open_key_since = time_or_none(row.integer(15));
  claim.content = row.text(16);
  job.last_bad_sha256 = digest_to_hex(row.view(17));
  claim.outbox = row.text(18);
  job.output_name = row.text(19);
  claim.folded = row.text(20);
  job.source_row = row.integer(24);
  claim.replaced = row.integer(25) != 0;
  job.has_other_versions = row.integer(26) != 0;
  return claim;
}

Result<void> LedgerCore::take(Statement& statement, std::size_t n, std::vector<Job>& out) {
  Rows rows(statement);
  while (out.size() < n) {
    const auto more = rows.next();
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    const JobId id = rows->integer(0);
    if (claims_.contains(id)) continue;
    note_before_change(id);
    Claim& claim = claims_[id];
    claim = read_claim(*rows.operator->());
    out.push_back(claim.job);
  }
  return {};
}

Result<std::vector<Job>> LedgerCore::claim(std::string_view folder, Ledger::Lane lane,
                                           std::size_t n, WallTime now) {
  const bool deferred = lane == Ledger::Lane::Deferred;
  std::vector<Job> jobs;
  // Quick retries that are due come before what was never tried: they are older.
  Statement& timed = sql_[Sql::ClaimTimed];
  timed.bind(folder, deferred ? 1 : 0, to_unix_ms(now));
  if (auto ok = take(timed, n, jobs); !ok) return std::unexpected(ok.error());
  if (jobs.size() == n) return jobs;
  const auto mark = deferred ? claimed_up_to_.end() : claimed_up_to_.find(folder);
  Statement& fresh = sql_[Sql::ClaimFresh];
  fresh.bind(folder, deferred ? 1 : 0, mark == claimed_up_to_.end() ? -1 : mark->second);
  const std::size_t before = jobs.size();
  if (auto ok = take(fresh, n, jobs); !ok) return std::unexpected(ok.error());
  if (!deferred && jobs.size() > before) {
    claimed_up_to_[std::string(folder)] = jobs.back().id;
  }
  return jobs;
}

Result<std::optional<WallTime>> LedgerCore::next_due(WallTime after) {
  const WallTime farthest = after + Ledger::kFarthestDue;
  const auto beyond = first_due(farthest);
  if (!beyond || !*beyond) return beyond ? first_due(after) : beyond;
  if (auto begun = begin(); !begun) return std::unexpected(begun.error());
  const auto pulled_in = sql_[Sql::PullIn].bind(to_unix_ms(after), to_unix_ms(farthest)).run();
  if (!pulled_in) return std::unexpected(pulled_in.error());
  return after;
}

Result<std::optional<WallTime>> LedgerCore::first_due(WallTime after) {
  Statement& due = sql_[Sql::NextDue];
  due.bind(to_unix_ms(after));
  Rows rows(due);
  while (true) {
    const auto more = rows.next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::nullopt;
    if (!claims_.contains(rows->integer(0))) return from_unix_ms(rows->integer(1));
  }
}

Result<void> LedgerCore::set_converter(std::string_view folder, std::string_view converter) {
  if (auto begun = begin(); !begun) return begun;
  Statement& update = sql_[Sql::SetConverter];
  update.bind(converter, folder);
  return update.run();
}

void LedgerCore::release(JobId job) {
  const auto claim = claims_.find(job);
  if (claim == claims_.end() || claim->second.state != JobState::Waiting) return;
  claimed_up_to_.erase(claim->second.job.candidate.folder);
  note_before_change(job);
  claims_.erase(job);
}

Result<std::optional<OutputRecord>> LedgerCore::output_at(std::string_view outbox,
                                                          std::string_view folded) {
  Statement& find = sql_[Sql::FindOutput];
  find.bind(outbox, Bytes{folded});
  Rows found(find);
  const auto row = found.next();
  if (!row) return std::unexpected(row.error());
  if (!*row || found->integer(5) == 0) return std::nullopt;
  return OutputRecord{found->integer(4), std::string(outbox),
                      found->text(0),    static_cast<std::uint64_t>(found->integer(6)),
                      found->text(7),    digest_to_hex(found->view(8)),
                      found->text(9),    digest_to_hex(found->view(10))};
}

Result<Name> LedgerCore::reserve_name(JobId job, std::string_view outbox,
                                      std::span<const NameChoice> choices) {
  if (auto begun = begin(); !begun) return std::unexpected(begun.error());
  auto changed = change(job);
  if (!changed) return std::unexpected(changed.error());
  Claim& claim = **changed;
  const Candidate& source = claim.job.candidate;
  Statement& find = sql_[Sql::FindOutput];
  const NameChoice* free = nullptr;
  const NameChoice* ours = nullptr;
  Name kept;
  for (const auto& choice : choices) {
    find.bind(outbox, Bytes{choice.folded});
    Rows found(find);
    const auto row = found.next();
    if (!row) return std::unexpected(row.error());
    if (!*row) {
      if (free == nullptr) free = &choice;
    } else if (found->view(1) == source.folder && found->view(2) == source.name &&
               found->view(3) == claim.job.target) {
      ours = &choice;
      kept = found->text(0);
      break;
    }
  }
  if (ours == nullptr) {
    if (free == nullptr) return fail(ErrorKind::Exists, "every output name is taken");
    ours = free;
    kept = free->name;
    Statement& reserve = sql_[Sql::ReserveOutput];
    reserve.bind(outbox, Bytes{free->folded}, Bytes{kept}, std::string_view(source.folder),
                 Bytes{source.name}, std::string_view(claim.job.target), job);
    if (auto ok = reserve.run(); !ok) return std::unexpected(ok.error());
  }
  claim.outbox = outbox;
  claim.folded = ours->folded;
  claim.job.output_name = kept;
  return kept;
}

}  // namespace millrace
