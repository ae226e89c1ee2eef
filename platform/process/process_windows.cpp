#include "platform/base/native_path.hpp"
#include "platform/process/process.hpp"

#include <windows.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "platform/base/wide_windows.hpp"
#include "platform/process/child_windows.hpp"
#include "platform/process/pipe_windows.hpp"

namespace millrace {
namespace {

using process::ChildDoes;
using process::ChildHandles;

// As CommandLineToArgvW and the C run-time library take it apart: backslashes count only before a
// quote.
std::wstring quoted(const std::wstring& argument) {
  std::wstring out = L"\"";
  std::size_t backslashes = 0;
  for (const wchar_t c : argument) {
    if (c == L'"') out.append(backslashes + 1, L'\\');
    backslashes = c == L'\\' ? backslashes + 1 : 0;
    out += c;
  }
  return out.append(backslashes, L'\\') + L'"';
}

std::wstring command_line(const SpawnRequest& request) {
  std::wstring line = quoted(request.program.wstring());
  for (const std::string& argument : request.arguments) line += L' ' + quoted(to_wide(argument));
  return line;
}

// Sorted without regard to case, each entry with its zero, and one more at the end. SystemRoot goes
// with it in any case: without it the sockets of Windows do not load.
std::wstring environment_block(const SpawnRequest& request) {
  std::vector<std::wstring> entries{L"SystemRoot=" + to_wide(environment_variable(L"SystemRoot"))};
  for (const auto& [name, value] : request.environment) {
    entries.push_back(to_wide(name + "=" + value));
  }
  std::ranges::sort(entries, [](const std::wstring& a, const std::wstring& b) {
    return ::CompareStringOrdinal(a.data(), static_cast<int>(a.find(L'=')), b.data(),
                                  static_cast<int>(b.find(L'=')), TRUE) == CSTR_LESS_THAN;
  });
  std::wstring block;
  for (const std::wstring& entry : entries) block += entry + L'\0';
  return block + L'\0';
}

struct StreamEnds {
  Handle parent;
  Handle child;
};

Handle inherited_stream(int number) {
  constexpr std::array kNames{STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
  HANDLE copy = nullptr;
  ::DuplicateHandle(::GetCurrentProcess(),
                    ::GetStdHandle(kNames.at(static_cast<std::size_t>(number))),
                    ::GetCurrentProcess(), &copy, 0, TRUE, DUPLICATE_SAME_ACCESS);
  return Handle(copy);
}

Result<StreamEnds> open_stream(ChildStream kind, int number) {
  StreamEnds ends;
  if (kind == ChildStream::Pipe) {
    auto pipe = process::make_pipe(number == 0 ? ChildDoes::Read : ChildDoes::Write);
    if (!pipe) return std::unexpected(pipe.error());
    ends = {std::move(pipe->ours), std::move(pipe->theirs)};
  } else if (kind == ChildStream::Inherit) {
    ends.child = inherited_stream(number);
  }
  if (!ends.child) {
    ends.child = Handle(::CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE,
                                      FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, 0,
                                      nullptr));
  }
  // Inheritable, but only by the one child whose list names it.
  if (!ends.child ||
      !::SetHandleInformation(ends.child.get(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)) {
    return windows_failure(ErrorKind::Environment, "stream of a child", ::GetLastError());
  }
  return ends;
}

Result<Handle> make_job(const SpawnRequest& request) {
  if (request.limits.file_size || request.limits.open_files) {
    return fail(ErrorKind::Configuration,
                "Windows cannot limit the size or the number of the files of a program");
  }
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION info{};
  DWORD& flags = info.BasicLimitInformation.LimitFlags;
  flags = JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
  if (request.with_parent == WithParent::Dies) flags |= JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
  if (request.limits.address_space) {
    flags |= JOB_OBJECT_LIMIT_PROCESS_MEMORY;
    info.ProcessMemoryLimit = static_cast<SIZE_T>(*request.limits.address_space);
  }
  if (request.limits.cpu_time) {
    flags |= JOB_OBJECT_LIMIT_PROCESS_TIME;
    // In units of 100 ns, user mode only.
    info.BasicLimitInformation.PerProcessUserTimeLimit.QuadPart =
        std::chrono::duration_cast<std::chrono::nanoseconds>(*request.limits.cpu_time).count() /
        100;
  }
  Handle job(::CreateJobObjectW(nullptr, nullptr));
  if (!job || !::SetInformationJobObject(job.get(), JobObjectExtendedLimitInformation, &info,
                                         sizeof info)) {
    return windows_failure(ErrorKind::Environment, "job of a child", ::GetLastError());
  }
  return job;
}

// The list of handles that a child inherits: these and no others.
class InheritedHandles {
 public:
  explicit InheritedHandles(std::array<HANDLE, 3> handles) : handles_(handles) {
    SIZE_T size = 0;
    ::InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
    space_.resize(size);
    made_ = ::InitializeProcThreadAttributeList(list(), 1, 0, &size) &&
            ::UpdateProcThreadAttribute(list(), 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                        handles_.data(), sizeof handles_, nullptr, nullptr);
  }
  ~InheritedHandles() { ::DeleteProcThreadAttributeList(list()); }
  InheritedHandles(const InheritedHandles&) = delete;
  InheritedHandles& operator=(const InheritedHandles&) = delete;

  LPPROC_THREAD_ATTRIBUTE_LIST list() {
    return reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(space_.data());
  }
  bool made() const { return made_; }

 private:
  std::array<HANDLE, 3> handles_;
  std::vector<std::byte> space_;
  bool made_ = false;
};

std::unexpected<Error> not_started(const SpawnRequest& request, const char* step) {
  const DWORD code = ::GetLastError();
  const bool absent = code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND;
  return windows_failure(absent ? ErrorKind::Vanished : ErrorKind::Environment,
                         "start " + path_text(request.program) + ": " + step, code);
}

class WindowsLauncher final : public Launcher {
 public:
  Result<std::unique_ptr<Child>> spawn(SpawnRequest request) override;
};

Result<std::unique_ptr<Child>> WindowsLauncher::spawn(SpawnRequest request) {
  if (!request.program.is_absolute()) {
    return fail(ErrorKind::Defect, "program of a child is not an absolute path");
  }
  std::array<StreamEnds, 3> streams;
  const std::array kinds{request.in, request.out, request.err};
  for (int number = 0; number < 3; ++number) {
    const auto at = static_cast<std::size_t>(number);
    auto ends = open_stream(kinds[at], number);
    if (!ends) return std::unexpected(ends.error());
    streams[at] = std::move(*ends);
  }
  auto job = make_job(request);
  if (!job) return std::unexpected(job.error());

  InheritedHandles inherited(
      {streams[0].child.get(), streams[1].child.get(), streams[2].child.get()});
  if (!inherited.made()) return not_started(request, "streams");
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = streams[0].child.get();
  startup.StartupInfo.hStdOutput = streams[1].child.get();
  startup.StartupInfo.hStdError = streams[2].child.get();
  startup.lpAttributeList = inherited.list();
  std::wstring line = command_line(request);
  std::wstring environment = environment_block(request);
  const std::wstring directory = request.directory.wstring();
  PROCESS_INFORMATION info{};
  // Suspended until it is in its job, so that nothing that it starts can be outside.
  if (!::CreateProcessW(request.program.c_str(), line.data(), nullptr, nullptr, TRUE,
                        CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | CREATE_NO_WINDOW |
                            EXTENDED_STARTUPINFO_PRESENT | CREATE_NEW_PROCESS_GROUP,
                        environment.data(), directory.empty() ? nullptr : directory.c_str(),
                        &startup.StartupInfo, &info)) {
    return not_started(request, "start program");
  }
  Handle child(info.hProcess);
  const Handle thread(info.hThread);
  if (!::AssignProcessToJobObject(job->get(), child.get()) ||
      ::ResumeThread(thread.get()) == static_cast<DWORD>(-1)) {
    auto problem = not_started(request, "job");
    ::TerminateProcess(child.get(), 1);
    return problem;
  }
  return process::make_child({std::move(child), std::move(*job), info.dwProcessId,
                              std::move(streams[0].parent), std::move(streams[1].parent),
                              std::move(streams[2].parent)});
}

}  // namespace

std::string to_string(const ExitStatus& status) {
  if (status.how == ExitStatus::How::Exited) return "exit code " + std::to_string(status.code);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "0x%08X", static_cast<unsigned>(status.code));
  return "ended by Windows, status " + std::string(text.data());
}

Result<std::unique_ptr<Launcher>> make_launcher() { return std::make_unique<WindowsLauncher>(); }

Result<std::filesystem::path> own_program_folder() {
  std::wstring path(512, L'\0');
  for (;;) {
    const DWORD size = ::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size()));
    if (size == 0) return windows_failure(ErrorKind::Environment, "own program", ::GetLastError());
    if (size < path.size()) return std::filesystem::path(path.substr(0, size)).parent_path();
    path.resize(path.size() * 2);
  }
}

}  // namespace millrace
