// The way of one job, on a worker's thread: read, name, pay, deliver, record.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/convert/converter.hpp"
#include "agent/deliver/outbox.hpp"
#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/dispatcher.hpp"
#include "agent/pipeline/kept_results.hpp"
#include "agent/queue/retry_policy.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

// What all jobs share. Every reference outlives the workers.
struct JobTools {
  Ledger& ledger;
  Dispatcher& dispatcher;
  KeptResults& kept;
  const Clock& clock;
  RetryRules retry;
  std::stop_token stop;            // uploads that are not complete end now
  std::stop_token stop_now;        // answers under way end as well
  std::function<double()> random;  // [0, 1), thread-safe
  // The file changed or vanished while it was worked on: it settles anew.
  std::function<void(const Assignment&)> settle_anew;
  // The job is over; `end.state` says how. On the worker's thread.
  // The summary is null where nothing can be left to do with the source.
  std::function<void(const Assignment&, const JobEnd&, const SourceSummary*)> finished;
};

class JobRun {
 public:
  JobRun(JobTools& tools, const Assignment& assignment, std::size_t worker);
  void run();  // never fails: whatever happened is in the ledger, or will be tried again

 private:
  // An end before the last step; an error is for the retry policy.
  using Step = Result<std::optional<JobEnd>>;

  Step all_steps();
  Step open_source();
  Step take_source();
  Step open_outbox();
  Step publish_kept_result();
  Result<std::optional<OutputIdentity>> find_output(const Name& name);
  Step look_for_output();
  Result<void> claim_unrecorded(const NameChoice& second);
  Step choose_name();
  std::vector<NameChoice> choices(int most) const;
  Result<Name> reserve_one_of(int most);
  Step look_at_what_is_there();
  Step read_and_hash();
  Step settle_for_what_is_there();
  Step make_key();
  Step convert();
  Step not_begun(const Error& error);
  Step no_place(const Error& error);
  Step deliver(Artifact artifact);
  Step publish(OutputFile& file, const OutputRecord& record);
  Step end_delivery(const Error& error);
  JobEnd delivered(OutputRecord record, const OutputIdentity& identity);

  Result<AttemptStart> plan_attempt() const;
  void end_attempt(const Error* error);
  JobEnd after_error(const Error& error);
  JobEnd skipped(std::string reason) const;
  Result<SourceSummary> record(const JobEnd& end);
  bool may_keep(const JobEnd& end) const;
  void finish(const JobEnd& end);

  JobTools& tools_;
  const Assignment& assignment_;
  const Job& job_;
  Folder& folder_;
  Service& service_;
  const std::size_t worker_;

  std::shared_ptr<Outbox> outbox_;
  std::unique_ptr<SourceReader> reader_;
  std::optional<Payload> payload_;
  Name output_name_;
  std::optional<NameChoice> to_reserve_;      // with the attempt; nothing: it is reserved
  std::optional<OutputRecord> ours_before_;   // what we put at output_name_ earlier
  std::optional<OutputIdentity> lies_there_;  // what lies there now
  std::optional<OutputIdentity> replaces_;    // what will be replaced, exactly this
  std::string key_;
  std::string source_key_;  // while it is ours
  bool key_taken_ = false;
  bool parked_ = false;  // another job has the key; ours comes back by itself
  int attempt_ = 0;
  std::optional<ConvertReply> reply_;
  AttemptEnd attempt_end_;
  bool outbox_failed_ = false;     // which side an Environment error belongs to
  bool delivery_refused_ = false;  // the converter's answer was right, whatever the error says
  bool cut_off_ = false;           // amid its delivery, which the next start ends
};

}  // namespace millrace
