#include "platform/host/service_host_windows.hpp"

#include <windows.h>

#include <tlhelp32.h>

#include <atomic>
#include <iostream>
#include <map>
#include <utility>

#include "platform/base/handle_windows.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/thread.hpp"
#include "platform/host/event_log_windows.hpp"
#include "platform/host/service.hpp"
#include "platform/host/service_states.hpp"

namespace millrace {
namespace {

constexpr DWORD kTick = 1000;  // ms

ServiceControl from_windows(DWORD control) {
  switch (control) {
    case SERVICE_CONTROL_STOP:
      return ServiceControl::Stop;
    case SERVICE_CONTROL_SHUTDOWN:
      return ServiceControl::Shutdown;
    case SERVICE_CONTROL_PRESHUTDOWN:
      return ServiceControl::Preshutdown;
    case SERVICE_CONTROL_PARAMCHANGE:
      return ServiceControl::ParameterChange;
    case SERVICE_CONTROL_INTERROGATE:
      return ServiceControl::Interrogate;
    default:
      return ServiceControl::Unknown;
  }
}

SERVICE_STATUS to_windows(const ServiceReport& report) {
  constexpr DWORD kStateOfPhase[] = {SERVICE_START_PENDING, SERVICE_RUNNING, SERVICE_STOP_PENDING,
                                     SERVICE_STOPPED};
  SERVICE_STATUS status{};
  status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
  status.dwCurrentState = kStateOfPhase[static_cast<int>(report.phase)];
  if (report.takes_controls) {
    status.dwControlsAccepted = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN |
                                SERVICE_ACCEPT_PRESHUTDOWN | SERVICE_ACCEPT_PARAMCHANGE;
  }
  status.dwCheckPoint = report.checkpoint;
  status.dwWaitHint = static_cast<DWORD>(report.wait_hint.count());
  if (report.exit_status != 0) {
    status.dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
    status.dwServiceSpecificExitCode = static_cast<DWORD>(report.exit_status);
  }
  return status;
}

// Lives as long as the process: threads of the system call into it.
class ServiceHost {
 public:
  explicit ServiceHost(const std::function<int()>& run) : run_(run) {}

  // Returns when the service has stopped; nothing if no service manager started this process.
  std::optional<int> serve();

  void notify(std::string_view state) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (states_.notify(state)) send();
  }
  void ended(int exit_status) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (states_.ended(exit_status)) send();
  }
  std::optional<Signal> wait(std::chrono::milliseconds wait_for) {
    ::WaitForSingleObject(signalled_.get(), static_cast<DWORD>(wait_for.count()));
    if (stop_.exchange(false)) return Signal::Stop;
    if (reload_.exchange(false)) return Signal::Reload;
    return std::nullopt;
  }
  EventLog& events() { return events_; }

 private:
  static void WINAPI service_main(DWORD, LPWSTR*);
  static DWORD WINAPI on_control(DWORD control, DWORD, LPVOID, LPVOID self) {
    return static_cast<ServiceHost*>(self)->take(control);
  }
  void main() EXCLUDES(mutex_);
  DWORD take(DWORD control) EXCLUDES(mutex_);
  void count_checkpoints(const std::stop_token& stop) EXCLUDES(mutex_);
  // Under the lock, so that the manager hears of the states in their order.
  void send() REQUIRES(mutex_) {
    SERVICE_STATUS status = to_windows(states_.report());
    ::SetServiceStatus(handle_, &status);
  }

  const std::function<int()>& run_;
  EventLog events_;
  const Handle signalled_{::CreateEventW(nullptr, FALSE, FALSE, nullptr)};
  Mutex mutex_;
  ServiceStates states_ GUARDED_BY(mutex_);
  SERVICE_STATUS_HANDLE handle_ GUARDED_BY(mutex_) = nullptr;
  // Set on the manager's thread, taken on the agent's.
  std::atomic<bool> stop_{false}, reload_{false};
  int status_ = 1;  // written before the dispatcher returns
};

// The dispatcher hands no context to the service's main function. Set before that is called, and
// not until a manager is there.
std::atomic<ServiceHost*> g_candidate{nullptr};
std::atomic<ServiceHost*> g_service{nullptr};

std::optional<int> ServiceHost::serve() {
  g_candidate = this;
  std::wstring name = kServiceName;
  const SERVICE_TABLE_ENTRYW table[] = {{name.data(), service_main}, {nullptr, nullptr}};
  if (!::StartServiceCtrlDispatcherW(table)) return std::nullopt;
  return status_;
}

void ServiceHost::service_main(DWORD, LPWSTR*) {
  g_service = g_candidate.load();
  g_service.load()->main();
}

void ServiceHost::main() {
  {
    const MutexLock lock(mutex_);
    handle_ = ::RegisterServiceCtrlHandlerExW(kServiceName, on_control, this);
    if (handle_ == nullptr) return;
    send();
  }
  EventText text(events_);
  std::streambuf* const before = std::cerr.rdbuf(&text);
  {
    const std::jthread counter =
        start_thread("service", [this](const std::stop_token& stop) { count_checkpoints(stop); });
    status_ = run_();
  }
  std::cerr.rdbuf(before);
  ended(status_);
}

DWORD ServiceHost::take(DWORD control) {
  ServiceStates::Answer answer;
  {
    const MutexLock lock(mutex_);
    answer = states_.control(from_windows(control));
    // An interrogation is answered by the manager itself, from the last status.
    if (answer.changed) send();
  }
  if (!answer.taken) return ERROR_CALL_NOT_IMPLEMENTED;
  if (answer.signal) {
    (*answer.signal == Signal::Stop ? stop_ : reload_) = true;
    ::SetEvent(signalled_.get());
  }
  return NO_ERROR;
}

void ServiceHost::count_checkpoints(const std::stop_token& stop) {
  const Handle ended(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
  const std::stop_callback wake(stop, [&] { ::SetEvent(ended.get()); });
  while (::WaitForSingleObject(ended.get(), kTick) == WAIT_TIMEOUT) {
    const MutexLock lock(mutex_);
    if (states_.tick()) send();
  }
}

// False where something else than the service manager has started this process: then there is no
// need to ask for the manager, which takes ten seconds under Wine.
bool may_be_service() {
  std::map<DWORD, PROCESSENTRY32W> all;
  const Handle snapshot(::CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0));
  PROCESSENTRY32W entry{};
  entry.dwSize = sizeof entry;
  for (BOOL more = ::Process32FirstW(snapshot.get(), &entry); more;
       more = ::Process32NextW(snapshot.get(), &entry)) {
    all.emplace(entry.th32ProcessID, entry);
  }
  const auto own = all.find(::GetCurrentProcessId());
  if (own == all.end()) return true;  // nothing is known
  const auto parent = all.find(own->second.th32ParentProcessID);
  return parent != all.end() && ::lstrcmpiW(parent->second.szExeFile, L"services.exe") == 0;
}

class ServiceSignals final : public SignalSource {
 public:
  explicit ServiceSignals(ServiceHost& host) : host_(host) {}
  std::optional<Signal> wait(std::chrono::milliseconds wait_for) override {
    return host_.wait(wait_for);
  }
  bool interrupted() const override { return false; }

 private:
  ServiceHost& host_;
};

}  // namespace

int run_under_service_manager(const std::function<int()>& run) {
  if (!may_be_service()) return run();
  // On the heap and never freed: a thread of the manager may still be in it when main returns.
  auto* const host = new ServiceHost(run);
  if (const auto status = host->serve()) return *status;
  return run();
}

bool is_service() { return g_service.load() != nullptr; }

void write_event(EventLevel level, std::string_view line) {
  if (ServiceHost* const service = g_service.load()) service->events().write(level, line);
}

void tell_service_manager(std::string_view state) {
  if (ServiceHost* const service = g_service.load()) service->notify(state);
}

void tell_service_ended(int exit_status) {
  if (ServiceHost* const service = g_service.load()) service->ended(exit_status);
}

std::unique_ptr<SignalSource> service_signals() {
  ServiceHost* const service = g_service.load();
  return service == nullptr ? nullptr : std::make_unique<ServiceSignals>(*service);
}

}  // namespace millrace
