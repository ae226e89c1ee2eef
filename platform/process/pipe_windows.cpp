#include "platform/process/pipe_windows.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>

#include "platform/base/wide_windows.hpp"

namespace millrace::process {
namespace {

constexpr DWORD kBuffer = 64 * 1024;

Handle new_event() { return Handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr)); }

// Whatever is under way ends here: its memory is about to go.
void abandon(HANDLE pipe, OVERLAPPED& operation) {
  DWORD ignored = 0;
  if (::CancelIoEx(pipe, &operation) || ::GetLastError() != ERROR_NOT_FOUND) {
    ::GetOverlappedResult(pipe, &operation, &ignored, TRUE);
  }
}

}  // namespace

DWORD wait_limit(TimePoint deadline) {
  const auto now = std::chrono::steady_clock::now();
  if (deadline <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<DWORD>(std::min<std::int64_t>(left, INFINITE - 1));
}

// An anonymous pipe knows no overlapped reads, so each gets a name that nobody else has.
Result<PipeEnds> make_pipe(ChildDoes does) {
  static std::atomic<std::uint64_t> next{0};
  const std::wstring name = L"\\\\.\\pipe\\millrace-" + std::to_wstring(::GetCurrentProcessId()) +
                            L"-" + std::to_wstring(++next);
  const bool child_reads = does == ChildDoes::Read;
  PipeEnds ends;
  ends.ours = Handle(::CreateNamedPipeW(name.c_str(),
                                        (child_reads ? PIPE_ACCESS_OUTBOUND : PIPE_ACCESS_INBOUND) |
                                            FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                                        PIPE_TYPE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1,
                                        kBuffer, kBuffer, 0, nullptr));
  if (!ends.ours) return windows_failure(ErrorKind::Environment, "pipe", ::GetLastError());
  ends.theirs = Handle(::CreateFileW(name.c_str(), child_reads ? GENERIC_READ : GENERIC_WRITE, 0,
                                     nullptr, OPEN_EXISTING, 0, nullptr));
  if (!ends.theirs) return windows_failure(ErrorKind::Environment, "pipe", ::GetLastError());
  return ends;
}

PipeReader::PipeReader(Handle pipe) : pipe_(std::move(pipe)), event_(new_event()) {
  if (pipe_) begin();
}

PipeReader::~PipeReader() {
  if (pipe_) abandon(pipe_.get(), operation_);
}

void PipeReader::begin() {
  operation_ = {};
  operation_.hEvent = event_.get();
  if (!::ReadFile(pipe_.get(), coming_.data(), static_cast<DWORD>(coming_.size()), nullptr,
                  &operation_) &&
      ::GetLastError() != ERROR_IO_PENDING) {
    pipe_.reset();
    ::SetEvent(event_.get());
  }
}

std::string_view PipeReader::take() {
  DWORD size = 0;
  if (!pipe_) return {};
  if (!::GetOverlappedResult(pipe_.get(), &operation_, &size, FALSE)) {
    // ERROR_BROKEN_PIPE: every handle of the other end is closed.
    if (::GetLastError() != ERROR_IO_INCOMPLETE) pipe_.reset();
    return {};
  }
  std::memcpy(taken_.data(), coming_.data(), size);
  begin();
  return {taken_.data(), size};
}

PipeWrite::PipeWrite(const Handle& pipe, std::string_view bytes)
    : pipe_(pipe.get()), event_(new_event()) {
  operation_.hEvent = event_.get();
  const auto size = static_cast<DWORD>(std::min<std::size_t>(bytes.size(), kBuffer));
  if (!::WriteFile(pipe_, bytes.data(), size, nullptr, &operation_)) {
    if (const DWORD code = ::GetLastError(); code != ERROR_IO_PENDING) {
      refused_ = code;
      ::SetEvent(event_.get());
    }
  }
}

PipeWrite::~PipeWrite() {
  if (refused_ == 0) abandon(pipe_, operation_);
}

Result<std::size_t> PipeWrite::taken() {
  DWORD size = 0;
  DWORD code = refused_;
  if (code == 0 && ::GetOverlappedResult(pipe_, &operation_, &size, TRUE)) return size;
  if (code == 0) code = ::GetLastError();
  if (code == ERROR_BROKEN_PIPE || code == ERROR_NO_DATA || code == ERROR_PIPE_NOT_CONNECTED) {
    return fail(ErrorKind::Vanished, "the child reads no more", static_cast<int>(code));
  }
  return windows_failure(ErrorKind::Environment, "write to the child", code);
}

}  // namespace millrace::process
