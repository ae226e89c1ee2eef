// What launchctl(1) says of the agent. Pure, so that its tests run everywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace {

struct LaunchdState {
  std::string state = "stopped";       // "running", "starting", "stopping", "stopped"
  std::uint32_t process = 0;           // 0: none
  std::uint32_t runs = 0;              // how often it was started since it was loaded
  int exit_status = 0;                 // of the last run that ended; 128 + n for signal n
  std::string user;                    // a daemon's account; "" where it is not named
  std::vector<std::string> arguments;  // the command line, program first
};

// The output of `launchctl print DOMAIN/LABEL`. Apple promises no form of it: what is not
// recognised is left as it is above.
LaunchdState parse_launchctl_print(std::string_view output);

// How `launchctl` ends where the service is not loaded.
bool says_not_loaded(int exit_status);

// What `launchctl VERB` ended with, in words that say what to do. `said` is what it printed.
Error launchctl_error(std::string_view verb, int exit_status, std::string_view said);

}  // namespace millrace
