// Every statement of the ledger's writer, prepared once.
#pragma once

#include <array>
#include <cstddef>

#include "agent/ledger/sqlite.hpp"

namespace millrace {

enum class Sql : std::size_t {
  FindVersion,
  FindOlderVersions,
  InsertVersion,
  ReadVersion,
  SetAction,
  SetActionIfNone,
  InsertJob,
  TargetsOfVersion,
  JobsOfVersion,
  AnyLiveJob,
  WaitingJobsOfVersion,
  CancelJob,
  ClaimFresh,
  ClaimTimed,
  NextDue,
  ReadRunning,
  SetCrashed,
  JobsDelivering,
  DueActions,
  FindOutput,
  ReserveOutput,
  PublishOutput,
  SameContent,
  InsertAttempt,
  EndAttempt,
  BeginJob,
  BeginDelivery,
  FinishJob,
  RetryOne,
  FailedJobs,
  BilledSince,
  BeginRun,
  EndRun,
  Remember,
  Recall,
  PruneCandidates,
  NewerVersion,
  DeleteVersion,
  DeleteJobs,
  DeleteOutputs,
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
