#include "platform/host/launchd_service_posix.hpp"

#include <system_error>
#include <utility>

#include "platform/base/native_path.hpp"
#include "platform/fs/file_system.hpp"
#include "platform/fs/macos_facts.hpp"
#include "platform/fs/small_file.hpp"
#include "platform/host/launchctl.hpp"
#include "platform/host/launchd_plist.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLookAgain{50};
constexpr int kLooks = 600;      // half a minute for what stands still
constexpr int kStaysUp = 20;     // looks in a row, a second: what the configuration refuses is over
constexpr int kInProgress = 36;  // bootout of a service that takes its time, errno.h

std::unexpected<Error> not_installed() {
  return fail(ErrorKind::Vanished,
              "the service Millrace is not installed; run: millrace service install");
}

class LaunchdServiceManager final : public ServiceManager {
 public:
  LaunchdServiceManager(LaunchdPlace place, LaunchdTools tools)
      : place_(std::move(place)),
        tools_(std::move(tools)),
        list_name_(std::string(kLaunchdLabel) + ".plist"),
        target_(place_.domain + "/" + std::string(kLaunchdLabel)) {}

  Result<ServiceInstalled> install(const ServiceSetup& setup) override {
    if (place_.account.empty()) {
      return fail(ErrorKind::Configuration,
                  "a daemon runs as the user who installs it, and not as root: log in as that user "
                  "and run it with sudo");
    }
    const auto before = look();
    if (!before) return std::unexpected(before.error());
    if (*before || has_list()) {
      return fail(ErrorKind::Exists,
                  "the service Millrace is installed already; to change it, run millrace service "
                  "uninstall first");
    }
    if (auto wrote = write_list(setup); !wrote) return std::unexpected(wrote.error());
    if (auto loaded = load(); !loaded) {
      remove_list();
      return std::unexpected(loaded.error());
    }
    ServiceInstalled installed;
    installed.account = place_.account;
    installed.notes = privacy_notes(setup);
    const auto runs = wait_until_it_stays(0);
    if (!runs) installed.notes.push_back(runs.error().message);
    installed.next = runs ? "it runs; millrace status says what it does"
                          : "millrace check; launchd tries again each minute";
    return installed;
  }

  Result<void> uninstall() override {
    const auto state = look();
    if (!state) return std::unexpected(state.error());
    if (!*state && !has_list()) return not_installed();
    if (*state) {
      if (auto stopped = unload(); !stopped) return stopped;
    }
    return remove_list();
  }

  Result<ServiceChange> start() override {
    const auto state = look();
    if (!state) return std::unexpected(state.error());
    if (*state && (*state)->state == "running") return ServiceChange::AlreadySo;
    if (!*state && !has_list()) return not_installed();
    const std::uint32_t runs_before = *state ? (*state)->runs : 0;
    if (auto begun = *state ? run({"kickstart", target_}) : load(); !begun) {
      return std::unexpected(begun.error());
    }
    if (auto runs = wait_until_it_stays(runs_before); !runs) return std::unexpected(runs.error());
    return ServiceChange::Done;
  }

  // Unloaded, and not only ended: it stays stopped until it is started, or the next login or start
  // of the machine.
  Result<ServiceChange> stop() override {
    const auto state = look();
    if (!state) return std::unexpected(state.error());
    if (!*state) {
      if (!has_list()) return not_installed();
      return ServiceChange::AlreadySo;
    }
    if (auto stopped = unload(); !stopped) return std::unexpected(stopped.error());
    return ServiceChange::Done;
  }

  Result<ServiceInfo> status() override {
    const auto state = look();
    if (!state) return std::unexpected(state.error());
    if (!*state && !has_list()) return not_installed();
    ServiceInfo info;
    info.account = place_.account;
    info.start = place_.daemon ? "with the machine" : "at login";
    info.state = "stopped";
    info.command = "as in " + path_text(list_path());
    if (!*state) return info;
    const LaunchdState& now = **state;
    info.state = now.state;
    info.process = now.process;
    if (!now.user.empty()) info.account = now.user;
    if (now.process == 0) info.exit_status = now.exit_status;
    if (now.arguments.empty()) return info;
    info.command.clear();
    for (const std::string& word : now.arguments) {
      info.command += (info.command.empty() ? "" : " ") + word;
    }
    return info;
  }

 private:
  fs::path list_path() const { return place_.folder / list_name_; }

  bool has_list() const {
    std::error_code problem;
    return fs::exists(fs::symlink_status(list_path(), problem));
  }

  Result<void> run(const std::vector<std::string>& words) {
    const auto end = tools_.launchctl(words);
    if (!end) return std::unexpected(end.error());
    if (end->status == 0) return {};
    return std::unexpected(launchctl_error(words.front(), end->status, end->said));
  }

  // Nothing where it is not loaded.
  Result<std::optional<LaunchdState>> look() {
    const auto end = tools_.launchctl({"print", target_});
    if (!end) return std::unexpected(end.error());
    if (says_not_loaded(end->status)) return std::nullopt;
    if (end->status != 0) {
      return std::unexpected(launchctl_error("print", end->status, end->said));
    }
    return parse_launchctl_print(end->said);
  }

  Result<void> write_list(const ServiceSetup& setup) {
    LaunchdJob job;
    job.program = path_text(setup.program);
    job.config_file = path_text(setup.config_file);
    job.error_file = path_text(place_.error_file);
    if (place_.daemon) job.user = place_.account;
    const auto text = launchd_plist(job);
    if (!text) return std::unexpected(text.error());
    // A new account has no ~/Library/LaunchAgents.
    const auto folder = real_file_system().make_directory(place_.folder);
    if (!folder) return std::unexpected(folder.error());
    return write_small_file(**folder, list_name_, *text, Access::Shared);
  }

  Result<void> remove_list() {
    std::error_code problem;
    fs::remove(list_path(), problem);
    if (!problem) return {};
    return fail(ErrorKind::Environment,
                "cannot remove " + path_text(list_path()) + ": " + problem.message(),
                problem.value());
  }

  // launchd remembers where a person has switched it off; who asks for it now wants it on.
  Result<void> load() {
    if (auto enabled = run({"enable", target_}); !enabled) return enabled;
    return run({"bootstrap", place_.domain, path_text(list_path())});
  }

  // SIGTERM, and SIGKILL after ExitTimeOut.
  Result<void> unload() {
    const auto end = tools_.launchctl({"bootout", target_});
    if (!end) return std::unexpected(end.error());
    if (end->status != 0 && end->status != kInProgress && !says_not_loaded(end->status)) {
      return std::unexpected(launchctl_error("bootout", end->status, end->said));
    }
    for (int looks = 0; looks < kLooks; ++looks) {
      const auto state = look();
      if (!state) return std::unexpected(state.error());
      if (!*state) return {};
      tools_.pause(kLookAgain);
    }
    return fail(ErrorKind::Environment, "the service Millrace does not end");
  }

  // launchd is content with a program that runs; one that ends in its first second has found
  // something to refuse.
  Result<void> wait_until_it_stays(std::uint32_t runs_before) {
    int up = 0;
    std::uint32_t process = 0;
    for (int looks = 0; looks < kLooks; ++looks) {
      const auto state = look();
      if (!state) return std::unexpected(state.error());
      if (!*state) return fail(ErrorKind::Environment, "launchd has dropped the service Millrace");
      const bool same = (*state)->process != 0 && (*state)->process == process;
      process = (*state)->process;
      up = same ? up + 1 : 0;
      if (up >= kStaysUp) return {};
      if (process == 0 && (*state)->runs > runs_before) {
        return fail(ErrorKind::Environment, "the service Millrace ended with status " +
                                                std::to_string((*state)->exit_status) +
                                                " as it started; " + path_text(place_.error_file) +
                                                " says why");
      }
      tools_.pause(kLookAgain);
    }
    return fail(ErrorKind::Environment, "launchd does not start the service Millrace");
  }

  std::vector<std::string> privacy_notes(const ServiceSetup& setup) const {
    std::vector<std::string> notes;
    std::vector<fs::path> used = setup.used;
    used.insert(used.end(), setup.made_later.begin(), setup.made_later.end());
    for (const fs::path& path : used) {
      const std::string folder = path_text(path);
      const std::string_view area = privacy_area(folder, path_text(place_.home));
      if (area == kFullDiskAccess) continue;
      notes.push_back(
          privacy_advice(folder, place_.daemon ? kFullDiskAccess : area, path_text(setup.program)));
    }
    if (place_.daemon) {
      notes.emplace_back(
          "a daemon cannot open the login keychain: keep each key again, with millrace secret set "
          "NAME, as " +
          place_.account);
    }
    return notes;
  }

  const LaunchdPlace place_;
  const LaunchdTools tools_;
  const std::string list_name_;
  const std::string target_;
};

}  // namespace

std::unique_ptr<ServiceManager> make_launchd_manager(LaunchdPlace place, LaunchdTools tools) {
  return std::make_unique<LaunchdServiceManager>(std::move(place), std::move(tools));
}

}  // namespace millrace
