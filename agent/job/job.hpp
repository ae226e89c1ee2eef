// A job is one target of one version of one file.
//
//                    +--------------------- retry (a person) ----------------------+
//                    v                                                             |
//   admit --> Waiting --claim--> Converting --synced--> Delivering --published--> Delivered
//                ^  |                |  |                   |  |
//                |  |                |  +--> Failed <-------+  |      Failed --retry--> Waiting
//                |  +--> Skipped <---+--> Cancelled            |
//                +------- defer, stop, crash ------------------+
//   A result that is kept, since it could not be published, goes from Waiting to Delivering.
//
// The pipeline's workers make every transition but admit (the loop) and retry (control).
// Waiting: on disk only, or in the queue's window. Converting: one worker owns it; an attempt row
// exists before anything is sent. Delivering: the temporary file is whole and synced, its name and
// hash are in the ledger. Delivered, Skipped, Failed, Cancelled: final for this version.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/job/candidate.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

enum class JobState { Waiting, Converting, Delivering, Delivered, Skipped, Failed, Cancelled };

std::string_view to_string(JobState state);
// Defect for a text that is none of the states.
Result<JobState> job_state_from(std::string_view text);

// The one place that permits transitions.
bool may_become(JobState from, JobState to);
constexpr bool is_final(JobState s) {
  return s == JobState::Delivered || s == JobState::Skipped || s == JobState::Failed ||
         s == JobState::Cancelled;
}

using JobId = std::int64_t;
using SourceRowId = std::int64_t;  // one version of one file in the ledger

// What a worker gets from Ledger::claim: all that it needs to know about what was before.
struct Job {
  JobId id = 0;
  SourceRowId source_row = 0;
  Candidate candidate;
  std::string target;                   // format, lower case: "webp"
  std::string converter;                // name of the [converter.NAME] it goes through
  int attempts = 0;                     // attempts that count, so far
  bool deferred = false;                // past its quick attempts
  std::optional<WallTime> first_tried;  // when the first attempt began
  // The last attempt's key, and since when that key is in use, if its outcome is unknown (the
  // request may have been billed, no answer came).
  std::string open_key;
  std::optional<WallTime> open_key_since;
  Name output_name;                 // reserved by an earlier claim, or empty
  bool has_other_versions = false;  // of its name, older or newer ones
  std::string last_bad_sha256;      // hash of the last unbelievable answer, or empty
};

}  // namespace millrace
