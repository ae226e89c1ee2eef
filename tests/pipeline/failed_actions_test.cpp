#include "agent/pipeline/failed_actions.hpp"

#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

SourceSummary of(const std::string& folder, SourceRowId row) {
  SourceSummary summary;
  summary.candidate.folder = folder;
  summary.row = row;
  return summary;
}

}  // namespace

TEST_CASE("what could not be done with a source is due once more after a pause, in its folder") {
  FailedActions failed;
  const TimePoint now{};
  const TimePoint later = now + FailedActions::kPause;
  failed.add(of("a", 1), now);
  failed.add(of("b", 2), now);
  failed.add(of("a", 3), later);
  CHECK_FALSE(failed.take("a", later - Duration{1}));
  CHECK(failed.take("a", later)->row == 1);
  CHECK_FALSE(failed.take("a", later));
  CHECK(failed.take("a", later + FailedActions::kPause)->row == 3);
  failed.drop("b");
  CHECK_FALSE(failed.take("b", later));
}

TEST_CASE("so many wait for another try, and the others for the next start") {
  FailedActions failed;
  for (std::size_t i = 0; i <= FailedActions::kMost; ++i)
    failed.add(of("a", static_cast<SourceRowId>(i)), TimePoint{});
  std::size_t taken = 0;
  while (failed.take("a", TimePoint{} + FailedActions::kPause)) ++taken;
  CHECK(taken == FailedActions::kMost);
}
