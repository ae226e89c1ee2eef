// The agent under launchd: what `millrace service` does there, step by step. It knows no macOS; its
// tests run everywhere, over a launchctl that they imitate.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "platform/host/service.hpp"

namespace millrace {

struct LaunchdPlace {
  std::string domain;            // "gui/501", "system"
  std::filesystem::path folder;  // where its property lists lie
  std::filesystem::path error_file;
  std::filesystem::path home;  // of the account
  std::string account;         // as which the agent runs; empty: unknown, and none is installed
  bool daemon = false;         // runs with nobody logged in, as `account`
};

struct LaunchctlEnd {
  int status = 0;
  std::string said;  // stdout, then stderr
};

struct LaunchdTools {
  // Runs launchctl with these words; blocks until it has ended.
  std::function<Result<LaunchctlEnd>(std::vector<std::string> words)> launchctl;
  // Lets so much time go by between two looks.
  std::function<void(std::chrono::milliseconds)> pause;
};

std::unique_ptr<ServiceManager> make_launchd_manager(LaunchdPlace place, LaunchdTools tools);

}  // namespace millrace
