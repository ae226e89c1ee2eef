// Every statement of the ledger's writer, prepared once.
#pragma once

#include <array>
#include <cstddef>

#include "agent/ledger/sqlite.hpp"

namespace millrace {

enum class Sql : std::size_t {
  Begin,
  Commit,
  LookUp,
  FindVersions,
  InsertVersion,
  ReadVersion,
  SetAction,
  SetActionIfNone,
  SetReplaced,
  InsertJob,
  TargetsOfVersion,
  JobsOfVersion,
  CancelJob,
  ClaimFresh,
  ClaimTimed,
  NextDue,
  PullIn,
  SetConverter,
  ReadLeft,
  SetCrashed,
  JobsDelivering,
  DueActions,
  FindOutput,
  ReserveOutput,
  PublishOutput,
  InsertAttempt,
  EndAttempt,
  BeginJob,
  BeginDelivery,
  FinishJob,
  RetryOne,
  ReopenJob,
  FailedJobs,
  BilledSince,
  BeginRun,
  EndRun,
  ReadCounts,
  WriteCount,
  Remember,
  Recall,
  PruneCandidates,
  DeleteVersion,
  DeleteJobs,
  DeleteAttempts,
  Count
};

class Statements {
 public:
  static Result<Statements> prepare(sqlite::Database& database);
  sqlite::Statement& operator[](Sql which) { return all_[static_cast<std::size_t>(which)]; }

 private:
  std::array<sqlite::Statement, static_cast<std::size_t>(Sql::Count)> all_;
};

}  // namespace millrace
