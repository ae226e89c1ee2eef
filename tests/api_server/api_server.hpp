// Starts the stand-in API as a process of its own, on a free port, and talks to its controls.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::test {

class ApiServer {
 public:
  // Further options as main takes them ("--latency-ms", "50"). Throws if it does not start.
  explicit ApiServer(std::vector<std::string> options = {});
  ~ApiServer();  // ends the process
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  int port() const { return port_; }
  pid_t pid() const { return pid_; }
  std::string url() const;  // http://127.0.0.1:PORT/v1/convert

  void faults(std::string_view script) const;        // replaces the script, numbers from 1 again
  void latency(std::string_view rule) const;         // "40", "lognormal:40:0.5:7"
  std::string bill() const;                          // the summary as JSON
  std::uint64_t count(std::string_view name) const;  // one number of it: "posts", "billed", ...
  // Sends SIGTERM and waits, so that the bill book is whole; the port is free afterwards.
  void stop();

 private:
  std::string ask(const std::string& request) const;

  pid_t pid_ = -1;
  int port_ = 0;
};

// Where the executable lies, for tests that start it themselves.
std::string api_server_path();

}  // namespace millrace::test
