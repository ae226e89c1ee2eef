// The agent under the service manager of Windows and launchd of macOS: who installs it, and what it
// is told there. On Linux systemd runs the agent, and knows all it needs from
// notify_service_manager() and signals.
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
// the event log. Blocks; from the main thread. Linux, macOS: `run` alone.
int run_under_service_manager(const std::function<int()>& run);

// True inside of `run` above if the service manager started this process, as what `millrace
// service` has installed. Never on Linux, where a service is run as any program.
bool is_service();

// One line for the event log of Windows, from any thread; does nothing unless is_service(), and
// nothing elsewhere. May block on the log's service.
enum class EventLevel { Warning, Error };
void write_event(EventLevel level, std::string_view line);

// What becomes of the paths outside of our own folder: nothing, and a note says what to do; or the
// account is let in, which needs them to be there.
enum class AccountAccess { Told, Granted };

struct ServiceSetup {
  std::filesystem::path program;            // absolute
  std::filesystem::path config_file;        // absolute
  std::filesystem::path own_folder;         // ours alone: it is given to the service's account
  std::vector<std::filesystem::path> used;  // what the account must be able to use
  // Folders that it must be able to use as well, and that the agent makes when it needs them first.
  std::vector<std::filesystem::path> made_later;
  AccountAccess access = AccountAccess::Told;
};

struct ServiceInstalled {
  std::string account;
  std::vector<std::string> notes;  // one line each: what the system refused, what is left to do
  std::string next = "millrace check, then millrace service start";
};

enum class ServiceChange { Done, AlreadySo };

struct ServiceInfo {
  std::string state;          // "stopped", "starting", "running", "stopping", "paused"
  std::uint32_t process = 0;  // 0: none
  int exit_status = 0;        // of the last run, once stopped; the agent's own where it gave one
  std::string account;
  std::string command;  // the command line that the manager starts
  // "automatic, delayed", "automatic", "by hand", "disabled"; macOS: "at login", "with the machine"
  std::string start;
};

// Called from one thread; the calls block until the manager has done what they ask for, and wait
// half a minute for one that stands still. Errors: Vanished if the service is not installed, Exists
// if it is already, Configuration if only an administrator may do this, else Environment.
class ServiceManager {
 public:
  virtual ~ServiceManager() = default;
  // macOS: starts it too.
  virtual Result<ServiceInstalled> install(const ServiceSetup& setup) = 0;
  // Stops it first. Keeps configuration, ledger and logs.
  virtual Result<void> uninstall() = 0;
  virtual Result<ServiceChange> start() = 0;
  virtual Result<ServiceChange> stop() = 0;
  virtual Result<ServiceInfo> status() = 0;
};
// Whose service it is. Windows knows those of the machine only.
enum class ServiceScope {
  User,    // macOS: runs while its user is logged in
  System,  // macOS: runs with nobody logged in
};
// Configuration where there is no such manager, and the message says what runs the agent instead;
// or where this user may have no service of that scope.
Result<std::unique_ptr<ServiceManager>> open_service_manager(ServiceScope scope);

}  // namespace millrace
