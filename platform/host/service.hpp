// The agent under the service manager of Windows: who installs it, and what it is told there. On
// Linux systemd runs the agent, and knows all it needs from notify_service_manager() and signals.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace {

// Calls `run` and returns what it returns. If the service manager has started this process, the
// manager hears of all that becomes of it: READY=1 and STOPPING=1 of notify_service_manager() are
// passed on, and its controls are what take_signals() gives: stop, shutdown and preshutdown are
// Stop, a changed parameter is Reload. What goes to std::cerr, which nobody reads there, goes to
// the event log. Blocks; from the main thread. Linux: `run` alone.
int run_under_service_manager(const std::function<int()>& run);

// True inside of `run` above if the service manager started this process. Never on Linux, where a
// service is run as any program.
bool is_windows_service();

// One line for the event log of the system, from any thread; does nothing unless
// is_windows_service(). May block on the log's service.
enum class EventLevel { Warning, Error };
void write_event(EventLevel level, std::string_view line);

struct ServiceSetup {
  std::filesystem::path program;      // absolute
  std::filesystem::path config_file;  // absolute
  std::filesystem::path own_folder;   // ours alone: it is given to the service's account
  // What the account must be able to use. Outside of `own_folder` nothing is changed, and a note
  // says what to do.
  std::vector<std::filesystem::path> used;
};

struct ServiceInstalled {
  std::string account;
  std::vector<std::string> notes;  // one line each: what the system refused, what is left to do
};

enum class ServiceChange { Done, AlreadySo };

struct ServiceInfo {
  std::string state;          // "stopped", "starting", "running", "stopping", "paused"
  std::uint32_t process = 0;  // 0: none
  int exit_status = 0;        // of the last run, once stopped; the agent's own where it gave one
  std::string account;
  std::string command;  // the command line that the manager starts
  std::string start;    // "automatic, delayed", "automatic", "by hand", "disabled"
};

// Called from one thread; the calls block until the manager has done what they ask for, and wait
// half a minute for one that stands still. Errors: Vanished if the service is not installed, Exists
// if it is already, Configuration if only an administrator may do this, else Environment.
class ServiceManager {
 public:
  virtual ~ServiceManager() = default;
  virtual Result<ServiceInstalled> install(const ServiceSetup& setup) = 0;
  // Stops it first. Keeps configuration, ledger and logs.
  virtual Result<void> uninstall() = 0;
  virtual Result<ServiceChange> start() = 0;
  virtual Result<ServiceChange> stop() = 0;
  virtual Result<ServiceInfo> status() = 0;
};
// Configuration where there is no such manager: the message says what runs the agent instead.
Result<std::unique_ptr<ServiceManager>> open_service_manager();

}  // namespace millrace
