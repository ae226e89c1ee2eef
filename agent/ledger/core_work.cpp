// A worker's way through a job: attempt, delivery, end.
#include <algorithm>
#include <array>

#include "agent/ledger/ledger_core.hpp"

namespace millrace {
namespace {

using sqlite::Bytes;
using sqlite::each_row;
using sqlite::Rows;
using sqlite::Statement;

constexpr std::size_t kLongestReason = 2000;

std::string_view kind_text(const std::optional<ErrorKind>& kind) {
  return kind ? to_string(*kind) : std::string_view();
}
std::string_view bounded(std::string_view reason) { return reason.substr(0, kLongestReason); }
std::int64_t ms_or_none(const std::optional<WallTime>& time) {
  return time ? to_unix_ms(*time) : 0;
}

}  // namespace

Result<Claim*> LedgerCore::change(JobId job) {
  const auto found = claims_.find(job);
  if (found == claims_.end()) {
    return fail(ErrorKind::Defect, "ledger: nobody has job " + std::to_string(job));
  }
  if (found->second.lost) {
    found->second.lost = false;
    return fail(ErrorKind::Environment, "ledger: an earlier change of this job was not written");
  }
  note_before_change(job);
  return &found->second;
}

void LedgerCore::note_before_change(JobId job) {
  const auto found = claims_.find(job);
  if (found == claims_.end()) {
    undo_.push_back({job, std::nullopt, answers_early_});
    return;
  }
  Claim& claim = found->second;
  if (claim.noted_in == transaction_) {
    Before& before = undo_[claim.noted_at];
    before.answered_early = before.answered_early || answers_early_;
    return;
  }
  undo_.push_back({job, claim, answers_early_});
  claim.noted_in = transaction_;
  claim.noted_at = undo_.size() - 1;
}

Result<void> LedgerCore::reserve_for(Claim& claim, std::string_view outbox,
                                     const NameChoice& name) {
  const Candidate& source = claim.job.candidate;
  Statement& reserve = sql_[Sql::ReserveOutput];
  reserve.bind(outbox, Bytes{name.folded}, Bytes{name.name}, std::string_view(source.folder),
               Bytes{source.name}, std::string_view(claim.job.target), claim.job.id);
  if (auto ok = reserve.run(); !ok) return ok;
  if (database_.changes() == 0) {
    return fail(ErrorKind::Exists, "the output name belongs to another source");
  }
  claim.outbox = outbox;
  claim.folded = name.folded;
  claim.job.output_name = name.name;
  return {};
}

Result<int> LedgerCore::begin_attempt(const AttemptStart& start, WallTime now) {
  if (auto begun = begin(); !begun) return std::unexpected(begun.error());
  auto changed = change(start.job);
  if (!changed) return std::unexpected(changed.error());
  Claim& claim = **changed;
  if (claim.state != JobState::Converting && !may_become(claim.state, JobState::Converting)) {
    return fail(ErrorKind::Defect,
                "ledger: an attempt of a job that is " + std::string(to_string(claim.state)));
  }
  if (start.name) {
    if (auto ok = reserve_for(claim, start.outbox, *start.name); !ok)
      return std::unexpected(ok.error());
  }
  counts_.move(claim.job.candidate.folder, claim.state, JobState::Converting);
  claim.state = JobState::Converting;
  claim.attempt = ++claim.last_number;
  claim.opened_key = claim.job.open_key != start.key;
  if (claim.opened_key) {
    claim.job.open_key = start.key;
    claim.job.open_key_since = now;
  }
  if (!claim.job.first_tried) claim.job.first_tried = now;
  claim.content = digest_to_bytes(start.content_sha256);
  Statement& insert = sql_[Sql::InsertAttempt];
  insert.bind(start.job, claim.attempt, std::string_view(claim.job.converter),
              std::string_view(start.key), start.bytes, to_unix_ms(now),
              start.possible_extra_bill ? 1 : 0);
  if (auto ok = insert.run(); !ok) return std::unexpected(ok.error());
  claim.attempt_row = database_.last_id();
  Statement& update = sql_[Sql::BeginJob];
  update.bind(claim.attempt, to_unix_ms(*claim.job.first_tried), to_unix_ms(now),
              std::string_view(claim.job.open_key), ms_or_none(claim.job.open_key_since),
              Bytes{claim.content}, std::string_view(claim.outbox), Bytes{claim.job.output_name},
              Bytes{claim.folded}, start.job);
  if (auto ok = update.run(); !ok) return std::unexpected(ok.error());
  return claim.attempt;
}

Result<void> LedgerCore::end_attempt(JobId job, int attempt, const AttemptEnd& end, WallTime now) {
  if (auto begun = begin(); !begun) return begun;
  auto changed = change(job);
  if (!changed) return std::unexpected(changed.error());
  Claim& claim = **changed;
  if (claim.attempt != attempt || claim.attempt_row == 0) {
    return fail(ErrorKind::Defect, "ledger: attempt " + std::to_string(attempt) + " of job " +
                                       std::to_string(job) + " is not open");
  }
  Statement& update = sql_[Sql::EndAttempt];
  update.bind(to_unix_ms(now), kind_text(end.kind), bounded(end.reason), end.http_status,
              static_cast<int>(end.billing), end.bytes_sent, end.bytes_received, claim.attempt_row);
  if (auto ok = update.run(); !ok) return ok;
  claim.attempt_row = 0;
  // What was not billed leaves no open question; what an earlier attempt under the same key left
  // open, it does not answer.
  if (end.billing == Billing::No && claim.opened_key) {
    claim.job.open_key.clear();
    claim.job.open_key_since.reset();
  }
  if (!end.bad_sha256.empty()) claim.job.last_bad_sha256 = end.bad_sha256;
  return {};
}

Result<void> LedgerCore::begin_delivery(JobId job, const OutputRecord& output,
                                        const Name& temporary_name, WallTime now) {
  if (auto begun = begin(); !begun) return begun;
  auto changed = change(job);
  if (!changed) return std::unexpected(changed.error());
  Claim& claim = **changed;
  if (!may_become(claim.state, JobState::Delivering) || claim.folded.empty() ||
      claim.outbox != output.outbox) {
    return fail(ErrorKind::Defect, "ledger: delivery without an attempt or a reserved name");
  }
  counts_.move(claim.job.candidate.folder, claim.state, JobState::Delivering);
  claim.state = JobState::Delivering;
  claim.job.output_name = output.name;
  if (!output.content_sha256.empty()) claim.content = digest_to_bytes(output.content_sha256);
  const std::string sha256 = digest_to_bytes(output.sha256);
  Statement& update = sql_[Sql::BeginDelivery];
  update.bind(to_unix_ms(now), Bytes{claim.content}, Bytes{output.name}, Bytes{temporary_name},
              Bytes{sha256}, output.size, job);
  return update.run();
}

Result<void> LedgerCore::write_output(Claim& claim, const OutputRecord& output) {
  claim.job.output_name = output.name;
  const std::string sha256 = digest_to_bytes(output.sha256);
  const std::string content =
      output.content_sha256.empty() ? claim.content : digest_to_bytes(output.content_sha256);
  const std::string& version =
      output.source_version.empty() ? claim.job.candidate.version : output.source_version;
  Statement& update = sql_[Sql::PublishOutput];
  update.bind(Bytes{output.name}, claim.job.id, output.size, Bytes{output.version}, Bytes{sha256},
              Bytes{version}, Bytes{content}, std::string_view(claim.outbox), Bytes{claim.folded});
  return update.run();
}

Result<void> LedgerCore::write_end(const Claim& claim, const JobEnd& end, WallTime now) {
  const std::string bad = digest_to_bytes(claim.job.last_bad_sha256);
  const bool waits = end.state == JobState::Waiting;
  Statement& update = sql_[Sql::FinishJob];
  update.bind(to_string(end.state), kind_text(end.kind), bounded(end.reason), claim.job.attempts,
              claim.job.deferred ? 1 : 0, waits ? ms_or_none(end.next_attempt) : 0,
              waits ? 0 : to_unix_ms(now), claim.crashes, std::string_view(claim.job.open_key),
              ms_or_none(claim.job.open_key_since), Bytes{bad}, std::string_view(claim.outbox),
              Bytes{claim.job.output_name}, Bytes{claim.folded}, waits && end.result_kept ? 1 : 0,
              claim.job.id);
  return update.run();
}

Result<void> LedgerCore::finish_and_keep(JobId job, int attempt, const JobEnd& end, WallTime now) {
  const auto summary = end_job(job, attempt, end, "kept", now);
  if (!summary) return std::unexpected(summary.error());
  return {};
}

Result<SourceSummary> LedgerCore::end_job(JobId job, int attempt, const JobEnd& end,
                                          std::string_view action, WallTime now) {
  if (auto begun = begin(); !begun) return std::unexpected(begun.error());
  auto changed = change(job);
  if (!changed) return std::unexpected(changed.error());
  Claim& claim = **changed;
  // A job that was handed out counts as Converting, though only begin_attempt writes that down.
  const JobState from = claim.state == JobState::Waiting ? JobState::Converting : claim.state;
  const bool ours = end.output.has_value() &&
                    (end.state == JobState::Delivered || end.state == JobState::Skipped);
  const bool misplaced = ours && (claim.folded.empty() || claim.outbox != end.output->outbox);
  if (claim.attempt != attempt || !may_become(from, end.state) || misplaced ||
      (end.state == JobState::Delivered && !ours)) {
    return fail(ErrorKind::Defect, "ledger: job " + std::to_string(job) + " attempt " +
                                       std::to_string(attempt) + " cannot become " +
                                       std::string(to_string(end.state)) + " from " +
                                       std::string(to_string(from)));
  }
  if (attempt != 0) claim.crashes = 0;
  if (end.state == JobState::Waiting) {
    claim.job.attempts += end.counts ? 1 : 0;
    claim.job.deferred = claim.job.deferred || end.deferred;
  } else if (end.state == JobState::Delivered) {
    claim.job.open_key.clear();
    claim.job.open_key_since.reset();
  }
  if (ours) {
    if (auto ok = write_output(claim, *end.output); !ok) return std::unexpected(ok.error());
  }
  // Its finished temporary may be kept for the next try.
  if (claim.state == JobState::Delivering && end.state == JobState::Waiting) {
    auto noted = note_leftover({claim.job.candidate.folder, claim.outbox, claim.job.output_name});
    if (!noted) return std::unexpected(noted.error());
  }
  if (auto ok = write_end(claim, end, now); !ok) return std::unexpected(ok.error());
  // What is gone or another may come back as it was: an object has the same ETag whenever its bytes
  // are the same.
  const bool went = end.kind == ErrorKind::Vanished || end.kind == ErrorKind::Changed;
  if (end.state == JobState::Cancelled && went) {
    Statement& mark = sql_[Sql::SetReplaced];
    mark.bind(1, claim.job.source_row);
    if (auto ok = mark.run(); !ok) return std::unexpected(ok.error());
  }
  counts_.move(claim.job.candidate.folder, claim.state, end.state);
  if (ours && claim.replaced) {
    if (auto ok = overwritten_by(claim); !ok) return std::unexpected(ok.error());
  }
  SourceSummary summary;
  summary.row = claim.job.source_row;
  summary.candidate = claim.job.candidate;
  if (auto ok = count_targets(summary); !ok) return std::unexpected(ok.error());
  if (summary.all_final()) {
    const bool due = action == "due";
    auto set = set_action_if_none(summary.row, action, due ? 0 : to_unix_ms(now));
    if (!set) return std::unexpected(set.error());
  } else {
    claimed_up_to_.erase(summary.candidate.folder);
  }
  claims_.erase(job);
  return summary;
}

Result<void> LedgerCore::count_targets(SourceSummary& summary) {
  Statement& list = sql_[Sql::JobsOfVersion];
  list.bind(first_job(summary.row), last_job(summary.row));
  return each_row(list, [&](const Statement& row) -> Result<void> {
    const auto state = job_state_from(row.view(0));
    if (!state) return std::unexpected(state.error());
    switch (*state) {
      case JobState::Delivered:
        ++summary.delivered;
        break;
      case JobState::Skipped:
        ++summary.skipped;
        if (row.integer(2) != 0) ++summary.without_result;
        break;
      case JobState::Cancelled:
        ++summary.cancelled;
        break;
      case JobState::Failed:
        if (summary.failed++ == 0) summary.first_reason = row.text(1);
        break;
      default:
        ++summary.waiting;
    }
    return {};
  });
}

Result<SourceSummary> LedgerCore::summary_of(SourceRowId row) {
  SourceSummary summary;
  summary.row = row;
  Statement& read = sql_[Sql::ReadVersion];
  read.bind(row);
  Rows version(read);
  const auto found = version.next();
  if (!found) return std::unexpected(found.error());
  if (!*found) return fail(ErrorKind::Defect, "ledger: no version " + std::to_string(row));
  summary.candidate = {version->text(0), version->text(1),
                       static_cast<std::uint64_t>(version->integer(3)), version->text(2)};
  summary.action = version->text(4);
  if (summary.action == "due") summary.action.clear();
  if (auto ok = count_targets(summary); !ok) return std::unexpected(ok.error());
  return summary;
}

Result<void> LedgerCore::record_source_action(SourceRowId row, std::string_view action,
                                              WallTime now) {
  if (auto begun = begin(); !begun) return begun;
  return set_action(row, bounded(action), to_unix_ms(now));
}

}  // namespace millrace
