// The property list by which launchd runs the agent, launchd.plist(5). Pure, so that its tests run
// everywhere.
#pragma once

#include <string>
#include <string_view>

#include "platform/base/result.hpp"

namespace millrace {

// The agent's name for launchd. Never changes: an agent under another name would run beside it.
constexpr std::string_view kLaunchdLabel = "com.millrace.agent";

struct LaunchdJob {
  std::string program;      // absolute, as all paths here
  std::string config_file;  // what the program is told
  std::string error_file;   // what it writes to stderr is added there
  std::string user;         // of a daemon; empty: the user to whom the agent belongs
};

// XML. Configuration for a text that it cannot hold (a control character, bytes that are not
// UTF-8); the message names it.
Result<std::string> launchd_plist(const LaunchdJob& job);

}  // namespace millrace
