// Starts the stand-in API on a free port and talks to its controls. It is a process of its own; on
// Windows, where its loop of sockets does not run, it is threads of the test.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::test {

class ApiServer {
 public:
  // Further options as main takes them ("--latency-ms", "50"). Throws if it does not start.
  explicit ApiServer(std::vector<std::string> options = {});
  ~ApiServer();  // ends it
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  int port() const { return port_; }
  std::string url() const;  // http://127.0.0.1:PORT/v1/convert

  void faults(std::string_view script) const;        // replaces the script, numbers from 1 again
  void latency(std::string_view rule) const;         // "40" or "lognormal:MEDIAN_MS:SIGMA:SEED"
  std::string bill() const;                          // the whole JSON
  std::uint64_t count(std::string_view name) const;  // one number of it: "billed"

 private:
  struct Running;
  std::string ask(const std::string& request) const;

  int port_ = 0;
  std::unique_ptr<Running> running_;
};

}  // namespace millrace::test
