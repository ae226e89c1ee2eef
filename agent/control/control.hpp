// The running agent's command channel: HTTP with JSON on a Unix socket that only its user may open.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "platform/base/result.hpp"

namespace millrace {

// What the channel can ask of an agent. Answers are JSON documents. Called on the channel's own
// worker thread, one at a time; may block on the ledger. Configuration: the question names
// something that is not there.
class ControlledAgent {
 public:
  virtual ~ControlledAgent() = default;
  virtual Result<std::string> status() = 0;
  virtual Result<std::string> failures() = 0;
  virtual Result<std::string> explain(const std::string& file) = 0;
  virtual Result<std::string> retry(const std::string& id) = 0;       // "" or "all": every failure
  virtual Result<std::string> rescan(const std::string& folder) = 0;  // "": all folders
  virtual Result<std::string> pause(const std::string& name) = 0;
  virtual Result<std::string> resume(const std::string& name) = 0;
  virtual Result<std::string> reload() = 0;
};

class ControlServer {
 public:
  virtual ~ControlServer() = default;
};

// Listens on `socket` (0600; at most 107 bytes). `agent` outlives the server.
//   GET /v1/status  /v1/failures  /v1/explain?file=PATH
//   POST /v1/retry?id=N  /v1/rescan?folder=NAME  /v1/pause?name=NAME  /v1/resume?name=NAME
//   /v1/reload
// Errors are {"error":{"code":KIND,"message":TEXT}} with status 400, or 500 for our own.
Result<std::unique_ptr<ControlServer>> start_control(const std::filesystem::path& socket,
                                                     ControlledAgent& agent);

}  // namespace millrace
