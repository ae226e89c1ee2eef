// What the ledger's tests share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/ledger/sqlite_ledger.hpp"
#include "tests/ledger/begin_attempt.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace::test {

inline const WallTime kNow = ManualClock().wall_now();
inline const TargetSpec kWebp{"webp", "api"};
inline const std::string kKey(32, '7');
inline const std::string kContent(64, 'c');
inline const std::string kOutput(64, 'd');

inline Candidate candidate(const std::string& name, const std::string& version = "v1") {
  return {"photos", name, 100, version};
}

inline std::unique_ptr<Ledger> opened(const std::filesystem::path& path, WallTime now = kNow) {
  auto ledger = open_ledger({path, now, std::chrono::milliseconds{5000}});
  if (!ledger) throw std::runtime_error(ledger.error().message);
  return std::move(*ledger);
}

inline void admit(Ledger& ledger, const Candidate& what) {
  REQUIRE(ledger.admit(what, std::span(&kWebp, 1), kNow));
}

inline Job claim_one(Ledger& ledger, WallTime now = kNow, Ledger::Lane lane = Ledger::Lane::Fresh) {
  auto jobs = ledger.claim("photos", lane, 1, now);
  REQUIRE(jobs);
  REQUIRE(jobs->size() == 1);
  return jobs->front();
}

inline Result<Name> reserve(Ledger& ledger, const Job& job) {
  const std::string stem = job.candidate.name.substr(0, job.candidate.name.find('.'));
  const std::vector<NameChoice> names{{stem + ".webp", stem + ".webp"},
                                      {job.candidate.name + ".webp", job.candidate.name + ".webp"}};
  return ledger.reserve_name(job.id, "out", names);
}

inline OutputRecord output_of(const Job& job, const Name& name) {
  return {job.id, "out", name, 42, "made", kOutput, job.candidate.version, kContent};
}

inline AttemptStart start_of(const Job& job, const std::string& key = kKey) {
  return {job.id, key, kContent, 100, false};
}

inline JobEnd ended(JobState state) {
  JobEnd end;
  end.state = state;
  return end;
}

inline Result<SourceSummary> deliver(Ledger& ledger, const Job& job) {
  const auto name = reserve(ledger, job);
  if (!name) return std::unexpected(name.error());
  const auto attempt = begin_attempt(ledger, start_of(job), kNow);
  if (!attempt) return std::unexpected(attempt.error());
  AttemptEnd end;
  end.billing = Billing::Yes;
  if (auto ok = ledger.end_attempt(job.id, *attempt, end, kNow); !ok) {
    return std::unexpected(ok.error());
  }
  const OutputRecord output = output_of(job, *name);
  if (auto ok = ledger.begin_delivery(job.id, output, *name + ".tmp", kNow); !ok) {
    return std::unexpected(ok.error());
  }
  JobEnd done;
  done.output = output;
  return ledger.finish(job.id, *attempt, done, kNow);
}

}  // namespace millrace::test
