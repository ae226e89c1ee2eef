// Folders that are one and the same without looking so.
#include "agent/cli/check.hpp"
#include "agent/cli/check_paths.hpp"
#include "config/validate.hpp"

namespace millrace {

// The rules of the configuration, held against what the paths lead to: written differently, two
// paths may be one folder all the same.
std::vector<Finding> check_places(const Context& context) {
  const Settings real = with_real_places(context.settings);
  std::vector<Problem> problems;
  validate(real, unknown_places(real), problems);
  std::vector<Finding> findings;
  for (const Problem& problem : problems) {
    findings.push_back({FindingLevel::Error, "places",
                        problem.message + " (links and mounts were followed)",
                        "choose folders that are apart"});
  }
  return findings;
}

}  // namespace millrace
