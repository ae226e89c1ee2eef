#include "platform/base/native_path.hpp"
#include "platform/host/host.hpp"

#include <windows.h>

#include <shellapi.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <vector>

#include "platform/base/access_windows.hpp"
#include "platform/base/handle_windows.hpp"
#include "platform/base/wide_windows.hpp"
#include "platform/host/service_host_windows.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr const wchar_t* kLockName = L"lock";
// A command that changes the ledger of no agent holds the lock for so long at most.
constexpr std::chrono::milliseconds kHeldForAMoment{1000};
constexpr std::chrono::milliseconds kAskAgain{10};

// Locks of Windows are mandatory, so the locked byte lies far behind the process number that others
// read (LockFileEx: locking beyond the end of the file is no error).
OVERLAPPED locked_byte() {
  OVERLAPPED place{};
  place.OffsetHigh = 0x40000000;
  return place;
}

Handle open_lock(const fs::path& path, DWORD access, DWORD disposition) {
  return Handle(::CreateFileW(path.c_str(), access,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                              disposition, FILE_FLAG_OPEN_REPARSE_POINT, nullptr));
}

// Never waits; the code of the refusal, 0 if it is locked now.
DWORD lock_now(const Handle& file, DWORD flags) {
  OVERLAPPED place = locked_byte();
  return ::LockFileEx(file.get(), flags | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place)
             ? 0
             : ::GetLastError();
}

// Windows frees the lock when the process is gone, however it ended.
class WindowsInstanceLock final : public InstanceLock {
 public:
  explicit WindowsInstanceLock(Handle file) : file_(std::move(file)) {}
  ~WindowsInstanceLock() override {
    // Closing alone frees it too, but at a time of the system's choice.
    OVERLAPPED place = locked_byte();
    ::UnlockFileEx(file_.get(), 0, 1, 0, &place);
  }

 private:
  Handle file_;
};

std::string holder_of(const Handle& file) {
  std::array<char, 32> text{};
  OVERLAPPED begin{};
  DWORD size = 0;
  ::ReadFile(file.get(), text.data(), static_cast<DWORD>(text.size()), &size, &begin);
  return size > 0 ? std::string(text.data(), size) : "unknown";
}

bool write_holder(const Handle& file) {
  const std::string pid = std::to_string(::GetCurrentProcessId());
  OVERLAPPED begin{};
  DWORD wrote = 0;
  return ::SetFilePointerEx(file.get(), {}, nullptr, FILE_BEGIN) && ::SetEndOfFile(file.get()) &&
         ::WriteFile(file.get(), pid.data(), static_cast<DWORD>(pid.size()), &wrote, &begin);
}

// What the handler, on a thread of the system, tells the one who waits.
struct Console {
  HANDLE stop = nullptr;
  std::atomic<bool> interrupted{false};
};
Console g_console;

BOOL WINAPI on_console_event(DWORD event) {
  const bool keys = event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
  g_console.interrupted = keys;
  ::SetEvent(g_console.stop);
  // After a close, a log-off or a shutdown Windows ends the process when this returns, and after
  // some seconds in any case: until then main stops in order.
  if (!keys) ::Sleep(INFINITE);
  return TRUE;
}

class ConsoleSignals final : public SignalSource {
 public:
  ConsoleSignals() {
    g_console.stop = stop_.get();
    ::SetConsoleCtrlHandler(on_console_event, TRUE);
  }
  ~ConsoleSignals() override { ::SetConsoleCtrlHandler(on_console_event, FALSE); }
  std::optional<Signal> wait(std::chrono::milliseconds wait_for) override {
    const auto limit = static_cast<DWORD>(wait_for.count());
    if (::WaitForSingleObject(stop_.get(), limit) != WAIT_OBJECT_0) return std::nullopt;
    return Signal::Stop;
  }
  bool interrupted() const override { return g_console.interrupted; }

 private:
  Handle stop_{::CreateEventW(nullptr, FALSE, FALSE, nullptr)};
};

HANDLE standard_stream(int stream) {
  return ::GetStdHandle(stream == 0   ? STD_INPUT_HANDLE
                        : stream == 1 ? STD_OUTPUT_HANDLE
                                      : STD_ERROR_HANDLE);
}

// Escape sequences, which the console of Windows 10 understands only where they are asked for.
void prepare_console() {
  ::SetConsoleOutputCP(CP_UTF8);
  ::SetConsoleCP(CP_UTF8);
  for (const int stream : {1, 2}) {
    DWORD mode = 0;
    if (::GetConsoleMode(standard_stream(stream), &mode)) {
      ::SetConsoleMode(standard_stream(stream), mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
    }
  }
}

}  // namespace

Result<StandardFolders> standard_folders() {
  StandardFolders folders;
  folders.home = fs::path(to_wide(environment_variable(L"USERPROFILE")));
  const fs::path data(to_wide(environment_variable(L"ProgramData")));
  if (data.empty()) return fail(ErrorKind::Environment, "%ProgramData% is not set");
  fs::path own = data / "Millrace";
  folders.config_file = own / "config.toml";
  auto made = make_private_folder(own);
  if (const auto local = environment_variable(L"LOCALAPPDATA");
      !made && made.error().os_code == ERROR_ACCESS_DENIED && !local.empty()) {
    // It is the service's and the administrators'. What needs no configuration is for everybody.
    own = fs::path(to_wide(local)) / "Millrace";
    made = make_private_folder(own);
  }
  if (!made) return std::unexpected(made.error());
  folders.state_dir = own / "state";
  folders.runtime_dir = own / "run";
  made = make_private_folder(folders.runtime_dir);
  if (!made) return std::unexpected(made.error());
  return folders;
}

fs::path sister_program(std::string_view name) {
  return own_executable().parent_path() / native_path(std::string(name) + ".exe");
}

void utf8_arguments(int& argc, char**& argv) {
  static std::vector<std::string> texts;
  static std::vector<char*> pointers;
  int count = 0;
  LPWSTR* wide = ::CommandLineToArgvW(::GetCommandLineW(), &count);
  if (wide == nullptr) return;
  for (int i = 0; i < count; ++i) texts.push_back(to_utf8(wide[i]));
  ::LocalFree(wide);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  argc = count;
  argv = pointers.data();
}

fs::path own_executable() {
  std::wstring path(512, L'\0');
  for (;;) {
    const DWORD size = ::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size()));
    if (size < path.size()) return path.substr(0, size);
    path.resize(path.size() * 2);
  }
}

Result<std::unique_ptr<InstanceLock>> lock_instance(const fs::path& state_dir) {
  const fs::path path = state_dir / kLockName;
  Handle file = open_lock(path, GENERIC_READ | GENERIC_WRITE, OPEN_ALWAYS);
  if (!file) {
    return windows_failure(ErrorKind::Environment, "cannot open " + path_text(path),
                           ::GetLastError());
  }
  const auto give_up = std::chrono::steady_clock::now() + kHeldForAMoment;
  while (const DWORD code = lock_now(file, LOCKFILE_EXCLUSIVE_LOCK)) {
    if (code != ERROR_LOCK_VIOLATION && code != ERROR_IO_PENDING) {
      return windows_failure(ErrorKind::Environment, "cannot lock " + path_text(path), code);
    }
    if (std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(kAskAgain);
      continue;
    }
    return fail(ErrorKind::Exists, "another instance runs with the state folder " +
                                       path_text(state_dir) + " (process " + holder_of(file) + ")");
  }
  if (!write_holder(file)) {
    return windows_failure(ErrorKind::Environment, "cannot write " + path_text(path),
                           ::GetLastError());
  }
  return std::make_unique<WindowsInstanceLock>(std::move(file));
}

bool instance_runs(const fs::path& state_dir) {
  const Handle file = open_lock(state_dir / kLockName, GENERIC_READ, OPEN_EXISTING);
  if (!file) return false;
  // A shared lock, given back at once: one that starts at this very moment asks again.
  if (lock_now(file, 0) != 0) return true;
  OVERLAPPED place = locked_byte();
  ::UnlockFileEx(file.get(), 0, 1, 0, &place);
  return false;
}

void notify_service_manager(std::string_view state) { tell_service_manager(state); }

std::optional<std::chrono::microseconds> watchdog_interval() { return std::nullopt; }

std::size_t descriptor_limit() { return 0; }

void harden_process() {
  ::SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
  ::SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
  ::_putenv_s("SSLKEYLOGFILE", "");
  prepare_console();
}

std::unique_ptr<SignalSource> take_signals() {
  if (auto signals = service_signals()) return signals;
  return std::make_unique<ConsoleSignals>();
}

void exit_now(int status) {
  // A process that ends without its last word has crashed, and is started again.
  tell_service_ended(status);
  // ExitProcess would wait for the lock of the loader, which a hanging thread may hold.
  ::TerminateProcess(::GetCurrentProcess(), static_cast<UINT>(status));
  std::abort();  // not reached
}

bool is_terminal(int stream) {
  DWORD mode = 0;
  return ::GetConsoleMode(standard_stream(stream), &mode) != 0;
}

int terminal_width() {
  CONSOLE_SCREEN_BUFFER_INFO info{};
  if (::GetConsoleScreenBufferInfo(standard_stream(2), &info)) {
    return info.srWindow.Right - info.srWindow.Left + 1;
  }
  return 80;
}

}  // namespace millrace
