// What the machine offers a long-running program: its own folders, one instance at a time, a place
// for secrets, word to the service manager, and signals.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "platform/base/result.hpp"

namespace millrace {

// Where things lie on this system for this user. Linux: the XDG Base Directory Specification.
// Windows: %ProgramData%\Millrace, for the service and for a user alike; who may not look at that
// has state and sockets in %LOCALAPPDATA%\Millrace. macOS: Millrace in ~/Library/Application
// Support.
struct StandardFolders {
  std::filesystem::path home;
  std::filesystem::path config_file;  // config.toml, whether it is there or not
  std::filesystem::path state_dir;
  std::filesystem::path runtime_dir;  // for sockets: short and private to the user (made if absent)
};
Result<StandardFolders> standard_folders();

std::filesystem::path own_executable();
// A program of ours that belongs beside this one, whether it is there or not.
std::filesystem::path sister_program(std::string_view name);

// Makes the arguments of main UTF-8, where the system hands them over in another form. They live as
// long as the process.
void utf8_arguments(int& argc, char**& argv);

// One running instance for one state folder. Held until destruction, by the process that made it.
class InstanceLock {
 public:
  virtual ~InstanceLock() = default;
};
// Exists if another process holds it for more than a second, as a command never does; the message
// names its process id.
Result<std::unique_ptr<InstanceLock>> lock_instance(const std::filesystem::path& state_dir);
// Whether somebody holds it now; asking is in nobody's way.
bool instance_runs(const std::filesystem::path& state_dir);

// Secrets by name. One file each in `secrets/` beside the configuration; Linux: 0600; Windows:
// encrypted for this machine (DPAPI), in a folder that only its owner and administrators may open.
// macOS: the login keychain, which knows no configuration; for root and for a daemon such a file,
// 0600. A change in the keychain is seen after 10 s. May block on the keychain for a minute.
Result<std::string> read_secret(const std::filesystem::path& config_dir, std::string_view name);
Result<void> store_secret(const std::filesystem::path& config_dir, std::string_view name,
                          std::string_view value);
Result<void> remove_secret(const std::filesystem::path& config_dir, std::string_view name);
// A secret kept in a file of the user's own; Configuration if others may read it. The last line end
// is not part of it.
Result<std::string> read_secret_file(const std::filesystem::path& file);

// READY=1, STOPPING=1, RELOADING=1, WATCHDOG=1, STATUS=...: sd_notify(3); Windows takes the first
// two (platform/host/service.hpp). Does nothing where no service manager listens.
void notify_service_manager(std::string_view state);
// How often the service manager wants WATCHDOG=1; nothing if it does not.
std::optional<std::chrono::microseconds> watchdog_interval();

// How many files and sockets this process may have open at once (RLIMIT_NOFILE); 0: no limit, as
// on Windows. macOS: at most 1024, of which libcurl can wait for all.
std::size_t descriptor_limit();

// The process as a whole: no core file with keys and documents in it, SIGPIPE ignored, secrets of
// libraries' debug variables (SSLKEYLOGFILE) unset, freed memory kept for the next request.
// macOS: files in the cloud only are not fetched by reading them.
// Windows: no error boxes, libraries from the system's folder only, a console that takes UTF-8.
// Called first in main.
void harden_process();

enum class Signal { Stop, Reload };
// Waits for SIGINT, SIGTERM (Stop) or SIGHUP (Reload). Must be made before any thread is started:
// it blocks these signals in the calling thread and in those that come from it. Windows: Ctrl-C,
// Ctrl-Break, a closed console, log-off and shutdown are Stop; what a service hears: service.hpp.
class SignalSource {
 public:
  virtual ~SignalSource() = default;
  // Nothing when `wait_for` is over.
  virtual std::optional<Signal> wait(std::chrono::milliseconds wait_for) = 0;
  virtual bool interrupted() const = 0;  // the last Stop was SIGINT or Ctrl-C
};
std::unique_ptr<SignalSource> take_signals();

// Ends the process at once, without destructors: a thread may hang in the kernel.
[[noreturn]] void exit_now(int status);

bool is_terminal(int stream);  // 1: stdout, 2: stderr
int terminal_width();          // columns; 80 if unknown

}  // namespace millrace
