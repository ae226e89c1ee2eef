// Where launchd has its places; what is done there is in launchd_service_posix.
#include "platform/host/service.hpp"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "platform/host/launchd_plist.hpp"
#include "platform/host/launchd_service_posix.hpp"
#include "platform/host/tool_posix.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kLaunchctlLimit{60};

struct Account {
  std::string name;
  fs::path home;
};

// Nothing for a number or a name that nobody has.
std::optional<Account> account_of(const passwd* entry) {
  if (entry == nullptr) return std::nullopt;
  return Account{entry->pw_name, entry->pw_dir};
}

LaunchdTools real_tools() {
  LaunchdTools tools;
  tools.launchctl = [](std::vector<std::string> words) -> Result<LaunchctlEnd> {
    const auto end = run_tool("/bin/launchctl", std::move(words), {}, kLaunchctlLimit);
    if (!end) return std::unexpected(end.error());
    return LaunchctlEnd{end->status, end->output + end->errors};
  };
  tools.pause = [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); };
  return tools;
}

Result<LaunchdPlace> place_of_agent() {
  if (geteuid() == 0) {
    return fail(ErrorKind::Configuration,
                "an agent belongs to the user who installs it: run it without sudo, or with "
                "--system for a daemon");
  }
  const auto account = account_of(getpwuid(getuid()));
  if (!account) return fail(ErrorKind::Environment, "this user has no account");
  return LaunchdPlace{.domain = "gui/" + std::to_string(getuid()),
                      .folder = account->home / "Library" / "LaunchAgents",
                      .error_file = account->home / "Library" / "Logs" / "Millrace.log",
                      .home = account->home,
                      .account = account->name,
                      .daemon = false};
}

// It runs as the user who has called sudo: as root it would read, for whoever may write to an
// inbox, what only root may read. To remove one no account is needed: root's own shell has none.
LaunchdPlace place_of_daemon() {
  const char* caller = std::getenv("SUDO_USER");
  auto account = account_of(geteuid() != 0      ? getpwuid(getuid())
                            : caller != nullptr ? getpwnam(caller)
                                                : nullptr);
  if (!account || account->name == "root") account = Account{};
  return LaunchdPlace{.domain = "system",
                      .folder = "/Library/LaunchDaemons",
                      .error_file = "/Library/Logs/Millrace.log",
                      .home = account->home,
                      .account = account->name,
                      .daemon = true};
}

}  // namespace

int run_under_service_manager(const std::function<int()>& run) { return run(); }

// launchd names each job in its environment.
bool is_service() {
  const char* name = std::getenv("XPC_SERVICE_NAME");
  return name != nullptr && name == kLaunchdLabel;
}

void write_event(EventLevel, std::string_view) {}

Result<std::unique_ptr<ServiceManager>> open_service_manager(ServiceScope scope) {
  auto place =
      scope == ServiceScope::System ? Result<LaunchdPlace>(place_of_daemon()) : place_of_agent();
  if (!place) return std::unexpected(place.error());
  return make_launchd_manager(std::move(*place), real_tools());
}

}  // namespace millrace
