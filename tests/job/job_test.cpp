#include "agent/job/job.hpp"

#include <set>
#include <utility>

#include "tests/support/catch.hpp"

using namespace millrace;
using enum JobState;

namespace {
constexpr std::array kAll{Waiting, Converting, Delivering, Delivered, Skipped, Failed, Cancelled};
}

TEST_CASE("a job moves along the lines of the diagram and no others") {
  const std::set<std::pair<JobState, JobState>> lines{
      {Waiting, Converting},   {Waiting, Skipped},      {Waiting, Cancelled},
      {Waiting, Failed},       {Waiting, Delivering},   {Converting, Delivering},
      {Converting, Waiting},   {Converting, Skipped},   {Converting, Failed},
      {Converting, Cancelled}, {Delivering, Delivered}, {Delivering, Waiting},
      {Delivering, Failed},    {Failed, Waiting},       {Delivered, Waiting}};
  for (const JobState from : kAll) {
    for (const JobState to : kAll) {
      CAPTURE(to_string(from), to_string(to));
      CHECK(may_become(from, to) == lines.contains({from, to}));
    }
  }
}

TEST_CASE("final states are left only by a person's retry") {
  for (const JobState from : kAll) {
    for (const JobState to : kAll) {
      if (is_final(from) && to != Waiting) CHECK_FALSE(may_become(from, to));
    }
  }
}

TEST_CASE("names of states are different and come back as they went") {
  std::set<std::string_view> names;
  for (const JobState state : kAll) {
    names.insert(to_string(state));
    CHECK(job_state_from(to_string(state)) == state);
  }
  CHECK(names.size() == kAll.size());
  CHECK(job_state_from("Waiting").error().kind == ErrorKind::Defect);
  CHECK_FALSE(job_state_from("").has_value());
}
