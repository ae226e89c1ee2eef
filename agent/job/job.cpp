#include "agent/job/job.hpp"

#include <algorithm>
#include <array>

namespace millrace {
namespace {

struct StateName {
  JobState state;
  std::string_view name;
};
constexpr std::array kStateNames{
    StateName{JobState::Waiting, "waiting"},       StateName{JobState::Converting, "converting"},
    StateName{JobState::Delivering, "delivering"}, StateName{JobState::Delivered, "delivered"},
    StateName{JobState::Skipped, "skipped"},       StateName{JobState::Failed, "failed"},
    StateName{JobState::Cancelled, "cancelled"},
};

struct Transition {
  JobState from;
  JobState to;
};
constexpr std::array kTransitions{
    Transition{JobState::Waiting, JobState::Converting},
    Transition{JobState::Waiting, JobState::Skipped},
    Transition{JobState::Waiting, JobState::Cancelled},
    Transition{JobState::Waiting, JobState::Failed},
    Transition{JobState::Waiting, JobState::Delivering},
    Transition{JobState::Converting, JobState::Delivering},
    Transition{JobState::Converting, JobState::Waiting},
    Transition{JobState::Converting, JobState::Skipped},
    Transition{JobState::Converting, JobState::Failed},
    Transition{JobState::Converting, JobState::Cancelled},
    Transition{JobState::Delivering, JobState::Delivered},
    Transition{JobState::Delivering, JobState::Waiting},
    Transition{JobState::Delivering, JobState::Failed},
    Transition{JobState::Failed, JobState::Waiting},
    Transition{JobState::Delivered, JobState::Waiting},
};

}  // namespace

std::string_view to_string(JobState state) {
  return std::ranges::find(kStateNames, state, &StateName::state)->name;
}

Result<JobState> job_state_from(std::string_view text) {
  const auto row = std::ranges::find(kStateNames, text, &StateName::name);
  if (row == kStateNames.end()) {
    return fail(ErrorKind::Defect, "unknown job state \"" + std::string(text) + "\"");
  }
  return row->state;
}

bool may_become(JobState from, JobState to) {
  return std::ranges::any_of(kTransitions,
                             [&](const Transition& t) { return t.from == from && t.to == to; });
}

}  // namespace millrace
