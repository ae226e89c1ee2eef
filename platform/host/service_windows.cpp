// Installing the service and asking for it; what it does once it runs is in service_host_windows.
#include "platform/host/service.hpp"

#include <windows.h>

#include <array>
#include <chrono>
#include <type_traits>

#include "platform/base/handle_windows.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/wide_windows.hpp"
#include "platform/host/event_log_windows.hpp"
#include "platform/host/service_access_windows.hpp"
#include "platform/host/service_host_windows.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr DWORD kPreshutdown = 10'000;           // ms; twice what a stop may take
constexpr DWORD kForgetFailures = 24 * 60 * 60;  // s
constexpr std::chrono::seconds kStandsStill{30};
constexpr DWORD kLookAgain = 20;  // ms

struct CloseService {
  void operator()(SC_HANDLE handle) const { ::CloseServiceHandle(handle); }
};
using ServiceHandle = std::unique_ptr<std::remove_pointer_t<SC_HANDLE>, CloseService>;

std::unexpected<Error> cannot(std::string what, DWORD code) {
  switch (code) {
    case ERROR_ACCESS_DENIED:
      return fail(ErrorKind::Configuration,
                  "cannot " + what +
                      ": only an administrator may; open the command prompt with "
                      "\"Run as administrator\"",
                  static_cast<int>(code));
    case ERROR_SERVICE_DOES_NOT_EXIST:
      return fail(ErrorKind::Vanished,
                  "the service Millrace is not installed; `millrace service install` does that",
                  static_cast<int>(code));
    case ERROR_SERVICE_MARKED_FOR_DELETE:
      return fail(ErrorKind::Environment,
                  "the service Millrace is being removed; close what shows it (the window of the "
                  "services, the event viewer), and ask again",
                  static_cast<int>(code));
    default:
      return windows_failure(ErrorKind::Environment, "cannot " + std::move(what), code);
  }
}

Result<ServiceHandle> open_manager(DWORD access) {
  ServiceHandle manager(::OpenSCManagerW(nullptr, nullptr, access));
  if (!manager) return cannot("ask the service manager", ::GetLastError());
  return manager;
}

Result<ServiceHandle> open_service(DWORD access, const std::string& what) {
  const auto manager = open_manager(SC_MANAGER_CONNECT);
  if (!manager) return std::unexpected(manager.error());
  ServiceHandle service(::OpenServiceW(manager->get(), kServiceName, access));
  if (!service) return cannot(what, ::GetLastError());
  return service;
}

Result<SERVICE_STATUS_PROCESS> status_of(const ServiceHandle& service) {
  SERVICE_STATUS_PROCESS status{};
  DWORD size = 0;
  if (!::QueryServiceStatusEx(service.get(), SC_STATUS_PROCESS_INFO,
                              reinterpret_cast<BYTE*>(&status), sizeof status, &size)) {
    return cannot("ask for the service Millrace", ::GetLastError());
  }
  return status;
}

// Until the service leaves `pending`. Environment if it stands still.
Result<SERVICE_STATUS_PROCESS> wait_while(const ServiceHandle& service, DWORD pending) {
  DWORD checkpoint = 0;
  auto moved = std::chrono::steady_clock::now();
  for (;;) {
    const auto status = status_of(service);
    if (!status || status->dwCurrentState != pending) return status;
    const auto now = std::chrono::steady_clock::now();
    if (status->dwCheckPoint != checkpoint) {
      checkpoint = status->dwCheckPoint;
      moved = now;
    }
    if (now - moved > kStandsStill) {
      return fail(ErrorKind::Environment, "the service Millrace does not go on: process " +
                                              std::to_string(status->dwProcessId));
    }
    ::Sleep(kLookAgain);
  }
}

int exit_status_of(const SERVICE_STATUS_PROCESS& status) {
  if (status.dwWin32ExitCode == ERROR_SERVICE_NEVER_STARTED) return 0;
  return static_cast<int>(status.dwWin32ExitCode == ERROR_SERVICE_SPECIFIC_ERROR
                              ? status.dwServiceSpecificExitCode
                              : status.dwWin32ExitCode);
}

// Quoted: else Windows would try C:\Program.exe first where the path has a blank.
std::wstring command_line(const ServiceSetup& setup) {
  return L"\"" + setup.program.wstring() + L"\" run --config \"" + setup.config_file.wstring() +
         L"\"";
}

struct Made {
  ServiceHandle service;
  std::wstring account;
};

bool refuses_account(DWORD code) {
  return code == ERROR_INVALID_SERVICE_ACCOUNT || code == ERROR_INVALID_PARAMETER ||
         code == ERROR_NONE_MAPPED;
}

Result<Made> create(const ServiceSetup& setup, std::vector<std::string>& notes) {
  const auto manager = open_manager(SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE);
  if (!manager) return with_context(manager.error(), "install the service");
  // To start it again after a failure is a right that the caller must have himself.
  constexpr DWORD kAccess = SERVICE_CHANGE_CONFIG | SERVICE_QUERY_CONFIG | SERVICE_START | DELETE;
  const std::wstring command = command_line(setup);
  for (const wchar_t* account : {kServiceAccount, kPlainAccount}) {
    ServiceHandle service(::CreateServiceW(manager->get(), kServiceName, kServiceName, kAccess,
                                           SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START,
                                           SERVICE_ERROR_NORMAL, command.c_str(), nullptr, nullptr,
                                           nullptr, account, nullptr));
    if (service) return Made{std::move(service), account};
    const DWORD code = ::GetLastError();
    if (code == ERROR_SERVICE_EXISTS) {
      return fail(ErrorKind::Exists,
                  "the service Millrace is installed already; `millrace service uninstall` removes "
                  "it and keeps configuration and ledger");
    }
    if (!refuses_account(code) || account == kPlainAccount) {
      return cannot("install the service Millrace", code);
    }
    notes.push_back("the account " + to_utf8(account) + " is refused (" + system_message(code) +
                    "); " + to_utf8(kPlainAccount) + " takes its place");
  }
  return fail(ErrorKind::Defect, "no account is left");
}

// One setting beyond what CreateService takes; the service works without it.
struct Setting {
  DWORD level;
  void* value;
  const char* name;
};

void set_settings(const ServiceHandle& service, std::vector<std::string>& notes) {
  std::wstring about =
      L"Converts the files that are dropped into its folders through a conversion API.";
  SERVICE_DESCRIPTIONW description{about.data()};
  SERVICE_DELAYED_AUTO_START_INFO delayed{TRUE};
  SERVICE_SID_INFO sid{SERVICE_SID_TYPE_UNRESTRICTED};
  // To pass through folders that it may not list: all else that the account has is taken away.
  std::wstring privileges(L"SeChangeNotifyPrivilege\0", 24);
  SERVICE_REQUIRED_PRIVILEGES_INFOW required{privileges.data()};
  SERVICE_PRESHUTDOWN_INFO preshutdown{kPreshutdown};
  std::array<SC_ACTION, 3> again{
      {{SC_ACTION_RESTART, 5'000}, {SC_ACTION_RESTART, 60'000}, {SC_ACTION_RESTART, 300'000}}};
  SERVICE_FAILURE_ACTIONSW failures{kForgetFailures, nullptr, nullptr,
                                    static_cast<DWORD>(again.size()), again.data()};
  // Also after an end with a status: a disk that was not there may be there in five minutes.
  SERVICE_FAILURE_ACTIONS_FLAG every_failure{TRUE};
  const Setting settings[] = {
      {SERVICE_CONFIG_DESCRIPTION, &description, "the description"},
      {SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed, "the delayed start"},
      {SERVICE_CONFIG_SERVICE_SID_INFO, &sid, "the service's own identity in access lists"},
      {SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &required, "the cut of its privileges"},
      {SERVICE_CONFIG_PRESHUTDOWN_INFO, &preshutdown, "the time for a stop before a shutdown"},
      {SERVICE_CONFIG_FAILURE_ACTIONS, &failures, "the restart after a crash"},
      {SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &every_failure, "the restart after a failure"},
  };
  for (const Setting& setting : settings) {
    if (::ChangeServiceConfig2W(service.get(), setting.level, setting.value)) continue;
    notes.push_back(std::string(setting.name) + " is refused (" + system_message(::GetLastError()) +
                    "); the service works without");
  }
}

const char* name_of_state(DWORD state) {
  switch (state) {
    case SERVICE_STOPPED:
      return "stopped";
    case SERVICE_START_PENDING:
      return "starting";
    case SERVICE_RUNNING:
      return "running";
    case SERVICE_STOP_PENDING:
      return "stopping";
    default:
      return "paused";
  }
}

std::string name_of_start(const ServiceHandle& service, DWORD start) {
  if (start == SERVICE_DEMAND_START) return "by hand";
  if (start == SERVICE_DISABLED) return "disabled";
  SERVICE_DELAYED_AUTO_START_INFO delayed{};
  DWORD size = 0;
  const bool known =
      ::QueryServiceConfig2W(service.get(), SERVICE_CONFIG_DELAYED_AUTO_START_INFO,
                             reinterpret_cast<BYTE*>(&delayed), sizeof delayed, &size);
  return known && delayed.fDelayedAutostart ? "automatic, delayed" : "automatic";
}

Result<void> describe(const ServiceHandle& service, ServiceInfo& info) {
  std::array<std::max_align_t, 8192 / sizeof(std::max_align_t)> space;  // the most there can be
  auto* const config = reinterpret_cast<QUERY_SERVICE_CONFIGW*>(space.data());
  DWORD size = 0;
  if (!::QueryServiceConfigW(service.get(), config, sizeof space, &size)) {
    return cannot("ask for the service Millrace", ::GetLastError());
  }
  info.command = to_utf8(config->lpBinaryPathName);
  info.account = config->lpServiceStartName != nullptr ? to_utf8(config->lpServiceStartName) : "";
  info.start = name_of_start(service, config->dwStartType);
  return {};
}

// The process of a service. Not every caller may open one that runs.
class ServiceProcess {
 public:
  explicit ServiceProcess(DWORD number)
      : process_(::OpenProcess(SYNCHRONIZE, FALSE, number)),
        is_there_(process_ || ::GetLastError() != ERROR_INVALID_PARAMETER) {}

  bool is_gone() const { return process_ ? ended_within(0) : !is_there_; }
  bool ended_within(DWORD limit) const {
    return process_ && ::WaitForSingleObject(process_.get(), limit) == WAIT_OBJECT_0;
  }

 private:
  const Handle process_;
  const bool is_there_;
};

// Of a service that this caller may start, and that Windows may not: its account cannot run it.
std::unexpected<Error> cannot_run(const ServiceHandle& service) {
  ServiceInfo info;
  if (auto described = describe(service, info); !described) {
    return std::unexpected(described.error());
  }
  const std::string program = info.command.substr(0, info.command.find('"', 1));
  const fs::path path = native_path(std::string_view(program).substr(program.starts_with('"')));
  return fail(ErrorKind::Environment,
              "cannot start the service Millrace: its account " + info.account + " may not run " +
                  path_text(path) + "; run: " + icacls(path, info.account, "RX"),
              ERROR_ACCESS_DENIED);
}

Result<ServiceChange> stop_now(const ServiceHandle& service) {
  auto before = status_of(service);
  // It takes no stop before it runs.
  if (before && before->dwCurrentState == SERVICE_START_PENDING &&
      !ServiceProcess(before->dwProcessId).is_gone()) {
    before = wait_while(service, SERVICE_START_PENDING);
  }
  if (!before) return std::unexpected(before.error());
  // Its process ends after the last status: only then is everything closed.
  const ServiceProcess process(before->dwProcessId);
  SERVICE_STATUS status{};
  if (!::ControlService(service.get(), SERVICE_CONTROL_STOP, &status)) {
    const DWORD code = ::GetLastError();
    if (code == ERROR_SERVICE_NOT_ACTIVE) return ServiceChange::AlreadySo;
    if (process.is_gone() && code != ERROR_ACCESS_DENIED) return ServiceChange::AlreadySo;
    const bool pending =
        code == ERROR_SERVICE_CANNOT_ACCEPT_CTRL && before->dwCurrentState == SERVICE_STOP_PENDING;
    if (!pending) return cannot("stop the service Millrace", code);
  }
  const auto after = wait_while(service, SERVICE_STOP_PENDING);
  if (!after) return std::unexpected(after.error());
  process.ended_within(5000);
  return ServiceChange::Done;
}

class WindowsServiceManager final : public ServiceManager {
 public:
  Result<ServiceInstalled> install(const ServiceSetup& setup) override {
    ServiceInstalled installed;
    auto made = create(setup, installed.notes);
    if (!made) return std::unexpected(made.error());
    installed.account = to_utf8(made->account);
    set_settings(made->service, installed.notes);
    if (auto done = register_event_source(setup.program); !done) {
      installed.notes.push_back(done.error().message);
    }
    let_in(setup, made->account, installed.notes);
    return installed;
  }

  Result<void> uninstall() override {
    const auto service =
        open_service(SERVICE_STOP | SERVICE_QUERY_STATUS | DELETE, "remove the service Millrace");
    if (!service) return std::unexpected(service.error());
    // One that cannot be stopped any more is removed when its process is gone.
    const auto stopped = stop_now(*service);
    if (!::DeleteService(service->get())) {
      return cannot("remove the service Millrace", ::GetLastError());
    }
    if (auto removed = remove_event_source(); !removed) return removed;
    if (!stopped) return std::unexpected(stopped.error());
    return {};
  }

  Result<ServiceChange> start() override {
    const auto service = open_service(SERVICE_START | SERVICE_QUERY_STATUS | SERVICE_QUERY_CONFIG,
                                      "start the service Millrace");
    if (!service) return std::unexpected(service.error());
    if (auto ended = wait_while(*service, SERVICE_STOP_PENDING); !ended) {
      return std::unexpected(ended.error());
    }
    const bool started = ::StartServiceW(service->get(), 0, nullptr) != 0;
    if (const DWORD code = ::GetLastError(); !started && code != ERROR_SERVICE_ALREADY_RUNNING) {
      // Who may not start it has not come so far.
      if (code == ERROR_ACCESS_DENIED) return cannot_run(*service);
      return cannot("start the service Millrace", code);
    }
    const auto status = wait_while(*service, SERVICE_START_PENDING);
    if (!status) return std::unexpected(status.error());
    if (status->dwCurrentState == SERVICE_RUNNING) {
      return started ? ServiceChange::Done : ServiceChange::AlreadySo;
    }
    return fail(ErrorKind::Environment,
                "the service Millrace ended with status " +
                    std::to_string(exit_status_of(*status)) +
                    " as it started; the application log of the event viewer says why, under "
                    "the source Millrace");
  }

  Result<ServiceChange> stop() override {
    const auto service =
        open_service(SERVICE_STOP | SERVICE_QUERY_STATUS, "stop the service Millrace");
    if (!service) return std::unexpected(service.error());
    return stop_now(*service);
  }

  Result<ServiceInfo> status() override {
    const auto service =
        open_service(SERVICE_QUERY_STATUS | SERVICE_QUERY_CONFIG, "ask for the service Millrace");
    if (!service) return std::unexpected(service.error());
    const auto status = status_of(*service);
    if (!status) return std::unexpected(status.error());
    ServiceInfo info;
    info.state = name_of_state(status->dwCurrentState);
    info.process = status->dwProcessId;
    if (status->dwCurrentState == SERVICE_STOPPED) info.exit_status = exit_status_of(*status);
    if (auto described = describe(*service, info); !described) {
      return std::unexpected(described.error());
    }
    return info;
  }
};

}  // namespace

Result<std::unique_ptr<ServiceManager>> open_service_manager(ServiceScope) {
  return std::make_unique<WindowsServiceManager>();
}

}  // namespace millrace
