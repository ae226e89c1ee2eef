// `millrace check`: finds what is wrong with a setup and says what to do.
#include <array>
#include <iostream>

#include "agent/cli/check.hpp"

namespace millrace {
namespace {

constexpr std::array kChecks{
    Check{"configuration", check_configuration},
    Check{"state folder", check_state_dir},
    Check{"inboxes", check_inboxes},
    Check{"outboxes, archives, quarantines", check_outputs},
    Check{"drives of one log-on", check_drives},
    Check{"places that are one", check_places},
    Check{"trees and watches", check_trees},
    Check{"disk space", check_space},
    Check{"keys", check_keys},
    Check{"stores", check_stores},
    Check{"secret files", check_secret_files},
    Check{"local converter", check_renderer},
    Check{"servers and clock", check_servers},
    Check{"events", check_events},
    Check{"agent", check_agent},
};

std::string counted(std::size_t n, const char* word) {
  return std::to_string(n) + " " + word + (n == 1 ? "" : "s");
}

}  // namespace

int run_check(const Options& options) {
  const auto context = load_context(options);
  if (!context) return context.error();
  std::vector<Finding> all;
  for (const Check& check : kChecks) {
    for (Finding& finding : check.run(*context)) {
      if (!options.json) std::cout << to_line(finding) << std::endl;
      all.push_back(std::move(finding));
    }
  }
  const std::size_t errors = count_of(all, FindingLevel::Error);
  if (options.json) {
    std::cout << to_json(all) << "\n";
  } else {
    std::cout << counted(errors, "error") << ", "
              << counted(count_of(all, FindingLevel::Warning), "warning") << "\n";
  }
  return errors == 0 ? kAllWell : kWrongUse;
}

}  // namespace millrace
