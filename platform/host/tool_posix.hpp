// Runs a program of the system and keeps what it says. Used inside this unit only.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace {

struct ToolEnd {
  int status = 0;      // as a shell has it: 128 + n for signal n
  std::string output;  // of stdout, line ends as \n
  std::string errors;  // of stderr
};

// Blocks until it has ended. `input` goes to its stdin and to no command line, which others may
// read. Of the environment it has HOME and a PATH of the system. Transient if it is not done after
// `limit`; it is ended then.
Result<ToolEnd> run_tool(const std::filesystem::path& program, std::vector<std::string> arguments,
                         std::string_view input, std::chrono::seconds limit);

}  // namespace millrace
