// A machine as a test makes it up.
#pragma once

#include <map>
#include <string>

#include "agent/s3/credentials_sources.hpp"

namespace millrace::test {

struct MadeUpMachine {
  std::map<std::string, std::string, std::less<>> variables;
  std::map<std::string, std::string> files;
  std::string unreadable;  // a path that is there and cannot be read

  // Looks at this object whenever it is asked.
  MachineFacts surroundings() {
    return {.variable = [this](std::string_view name) -> std::optional<std::string> {
              const auto found = variables.find(name);
              if (found == variables.end() || found->second.empty()) return std::nullopt;
              return found->second;
            },
            .read_file = [this](const std::string& path) -> Result<std::string> {
              if (path == unreadable) return fail(ErrorKind::Environment, "Permission denied");
              const auto found = files.find(path);
              if (found == files.end()) return fail(ErrorKind::Vanished, "no such file");
              return found->second;
            },
            .home = "/home/a/"};
  }
};

}  // namespace millrace::test
