#include "agent/ledger/statements.hpp"

#include <utility>

namespace millrace {
namespace {

struct Row {
  Sql which;
  const char* text;
};

#define MILLRACE_JOB_COLUMNS                                                                 \
  "j.id, s.name, s.version, s.size, j.folder, j.target, j.converter, j.state, j.attempts,"   \
  " j.deferred, j.next_attempt, j.attempt_number, j.crashes, j.first_tried, j.open_key,"     \
  " j.open_since, j.content_sha256, j.bad_sha256, j.outbox, j.output_name, j.output_folded," \
  " j.temporary_name, j.output_sha256, j.output_size, s.id,"                                 \
  " s.replaced, EXISTS(SELECT 1 FROM source_version o WHERE o.folder=s.folder"               \
  " AND o.name=s.name AND o.id<>s.id)"

#define MILLRACE_FROM_THE_START                                                  \
  "state='waiting', kind='', reason='', attempts=0, deferred=0, next_attempt=0," \
  " crashes=0, first_tried=0, finished=0, temporary_name=x''"

// INDEXED BY makes a statement fail at the start, and not crawl, if its index is not there.
constexpr std::array kRows{
    Row{Sql::Begin, "BEGIN IMMEDIATE"},
    Row{Sql::Commit, "COMMIT"},
    Row{Sql::LookUp,
        "SELECT replaced, EXISTS(SELECT 1 FROM job WHERE job.id BETWEEN s.id * 256 AND"
        " s.id * 256 + 255 AND state IN ('waiting','converting','delivering'))"
        " FROM source_version s WHERE folder=? AND name=? AND version=?"},
    Row{Sql::FindVersions,
        "SELECT id, version, replaced FROM source_version WHERE folder=? AND name=?"},
    Row{Sql::InsertVersion,
        "INSERT INTO source_version(folder, name, version, size, seen) VALUES(?,?,?,?,?)"},
    Row{Sql::ReadVersion,
        "SELECT folder, name, version, size, action FROM source_version WHERE id=?"},
    Row{Sql::SetAction, "UPDATE source_version SET action=?, acted=? WHERE id=?"},
    Row{Sql::SetActionIfNone,
        "UPDATE source_version SET action=?, acted=? WHERE id=? AND action=''"},
    Row{Sql::SetReplaced, "UPDATE source_version SET replaced=? WHERE id=?"},
    Row{Sql::InsertJob, "INSERT INTO job(id, folder, target, converter) VALUES(?,?,?,?)"},
    Row{Sql::TargetsOfVersion,
        "SELECT id, target, state, folder, outbox, output_folded FROM job WHERE id BETWEEN ? AND "
        "?"},
    // Of what was skipped also: does a result of ours lie there that was made from this version?
    Row{Sql::JobsOfVersion,
        "SELECT j.state, j.reason, j.state='skipped' AND NOT EXISTS(SELECT 1 FROM output o"
        " JOIN source_version s ON s.id = (j.id >> 8) WHERE o.outbox=j.outbox"
        " AND o.folded=j.output_folded AND o.published=1 AND o.folder=s.folder AND o.source=s.name"
        " AND o.source_version=s.version) FROM job j WHERE j.id BETWEEN ? AND ?"},
    Row{Sql::CancelJob,
        "UPDATE job SET state='cancelled', reason=?, finished=?, temporary_name=x'' WHERE id=?"},
    Row{Sql::ClaimFresh,
        "SELECT " MILLRACE_JOB_COLUMNS
        " FROM job j INDEXED BY job_waiting JOIN source_version s ON s.id = (j.id >> 8)"
        " WHERE j.state='waiting' AND j.folder=? AND j.deferred=? AND j.next_attempt=0"
        " AND j.id>? ORDER BY j.id"},
    Row{Sql::ClaimTimed,
        "SELECT " MILLRACE_JOB_COLUMNS
        " FROM job j INDEXED BY job_waiting JOIN source_version s ON s.id = (j.id >> 8)"
        " WHERE j.state='waiting' AND j.folder=? AND j.deferred=? AND j.next_attempt>0"
        " AND j.next_attempt<=? ORDER BY j.next_attempt, j.id"},
    Row{Sql::NextDue,
        "SELECT id, next_attempt FROM job INDEXED BY job_due"
        " WHERE state='waiting' AND next_attempt>0 AND next_attempt>? ORDER BY next_attempt"},
    Row{Sql::PullIn,
        "UPDATE job INDEXED BY job_due SET next_attempt=?"
        " WHERE state='waiting' AND next_attempt>0 AND next_attempt>?"},
    Row{Sql::SetConverter,
        "UPDATE job SET converter=? WHERE folder=? AND state IN ('waiting','failed')"},
    Row{Sql::ReadLeft,
        "SELECT id, state, crashes, folder, outbox, output_name FROM job INDEXED BY job_running"
        " WHERE state IN ('converting','delivering') UNION ALL"
        " SELECT id, state, crashes, folder, outbox, output_name FROM job INDEXED BY job_kept"
        " WHERE state='waiting' AND temporary_name<>x''"},
    Row{Sql::SetCrashed,
        "UPDATE job SET state=?, kind=?, reason=?, crashes=?, finished=? WHERE id=?"},
    Row{Sql::JobsDelivering,
        "SELECT " MILLRACE_JOB_COLUMNS
        " FROM job j INDEXED BY job_running JOIN source_version s ON s.id = (j.id >> 8)"
        " WHERE j.state IN ('converting','delivering')"},
    Row{Sql::DueActions,
        "SELECT id FROM source_version INDEXED BY source_version_due WHERE action='due'"},
    Row{Sql::FindOutput,
        "SELECT name, folder, source, target, job, published, size, version, sha256,"
        " source_version, content_sha256 FROM output WHERE outbox=? AND folded=?"},
    Row{Sql::ReserveOutput,
        "INSERT INTO output(outbox, folded, name, folder, source, target, job)"
        " VALUES(?,?,?,?,?,?,?) ON CONFLICT(outbox, folded) DO UPDATE SET name=output.name"
        " WHERE folder=excluded.folder AND source=excluded.source AND target=excluded.target"},
    Row{Sql::PublishOutput,
        "UPDATE output SET name=?, job=?, published=1, size=?, version=?, sha256=?,"
        " source_version=?, content_sha256=? WHERE outbox=? AND folded=?"},
    Row{Sql::InsertAttempt,
        "INSERT INTO attempt(job, number, converter, key, bytes, begun, extra)"
        " VALUES(?,?,?,?,?,?,?)"},
    Row{Sql::EndAttempt,
        "UPDATE attempt SET ended=?, kind=?, reason=?, status=?, billing=?, sent=?, received=?"
        " WHERE id=?"},
    Row{Sql::BeginJob,
        "UPDATE job SET state='converting', attempt_number=?, first_tried=?, begun=?, open_key=?,"
        " open_since=?, content_sha256=?, outbox=?, output_name=?, output_folded=?,"
        " temporary_name=x'' WHERE id=?"},
    Row{Sql::BeginDelivery,
        "UPDATE job SET state='delivering', synced=?, content_sha256=?, output_name=?,"
        " temporary_name=?, output_sha256=?, output_size=? WHERE id=?"},
    Row{Sql::FinishJob,
        "UPDATE job SET state=?, kind=?, reason=?, attempts=?, deferred=?, next_attempt=?,"
        " finished=?, crashes=?, open_key=?, open_since=?, bad_sha256=?, outbox=?, output_name=?,"
        " output_folded=?, temporary_name=CASE WHEN ? THEN temporary_name ELSE x'' END"
        " WHERE id=?"},
    Row{Sql::RetryOne, "UPDATE job SET " MILLRACE_FROM_THE_START
                       " WHERE id=? AND state='failed' RETURNING folder"},
    Row{Sql::ReopenJob, "UPDATE job SET " MILLRACE_FROM_THE_START ", converter=? WHERE id=?"},
    Row{Sql::FailedJobs, "SELECT id FROM job INDEXED BY job_failed WHERE state='failed'"},
    Row{Sql::BilledSince,
        "SELECT count(*) FROM attempt INDEXED BY attempt_begun"
        " WHERE begun>=? AND converter=? AND billing<>0"},
    Row{Sql::BeginRun, "INSERT INTO run(command, begun) VALUES(?,?)"},
    Row{Sql::EndRun, "UPDATE run SET outcome=?, ended=? WHERE id=?"},
    Row{Sql::ReadCounts, "SELECT folder, state, count FROM folder_count"},
    Row{Sql::WriteCount, "INSERT OR REPLACE INTO folder_count(folder, state, count) VALUES(?,?,?)"},
    Row{Sql::Remember, "INSERT OR REPLACE INTO memory(key, value) VALUES(?,?)"},
    Row{Sql::Recall, "SELECT value FROM memory WHERE key=?"},
    Row{Sql::PruneCandidates,
        "SELECT id, seen, action, replaced FROM source_version WHERE id>?"
        " AND id<=(SELECT max(id) FROM source_version)-? ORDER BY id"},
    Row{Sql::DeleteVersion, "DELETE FROM source_version WHERE id=?"},
    Row{Sql::DeleteJobs, "DELETE FROM job WHERE id BETWEEN ? AND ?"},
    Row{Sql::DeleteAttempts,
        "DELETE FROM attempt WHERE id IN (SELECT id FROM attempt INDEXED BY attempt_begun"
        " WHERE begun<? AND extra=0 LIMIT ?)"},
};
static_assert(kRows.size() == static_cast<std::size_t>(Sql::Count));

}  // namespace

Result<Statements> Statements::prepare(sqlite::Database& database) {
  Statements statements;
  for (const Row& row : kRows) {
    auto prepared = database.prepare(row.text);
    if (!prepared) return std::unexpected(prepared.error());
    statements[row.which] = std::move(*prepared);
  }
  return statements;
}

}  // namespace millrace
