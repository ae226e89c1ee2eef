#include "platform/process/child_windows.hpp"

#include <array>
#include <utility>

#include "platform/base/wide_windows.hpp"
#include "platform/process/line_buffer.hpp"
#include "platform/process/pipe_windows.hpp"

namespace millrace::process {
namespace {

constexpr std::size_t kErrorTail = 64 * 1024;
// A whole pipe with room to spare. One who writes without end fills it faster than it is read.
constexpr int kPiecesAtOnce = 64;
constexpr DWORD kKilledByUs = 0xC0000120;  // STATUS_CANCELLED
// Codes from here on are faults of a program that ended otherwise than by its own word.
constexpr DWORD kFirstFault = 0xC0000000;

class WindowsChild final : public Child {
 public:
  explicit WindowsChild(ChildHandles handles)
      : process_(std::move(handles.process)),
        job_(std::move(handles.job)),
        id_(handles.id),
        in_(std::move(handles.in)),
        out_(std::move(handles.out)),
        err_(std::move(handles.err)) {}

  ~WindowsChild() override {
    kill();
    ::WaitForSingleObject(process_.get(), INFINITE);
  }

  Result<void> write(std::string_view bytes, TimePoint deadline) override;
  void close_input() override { in_.reset(); }
  Result<std::optional<std::string>> read_line(TimePoint deadline) override;
  Result<std::optional<ExitStatus>> wait(TimePoint deadline) override;
  // The job's handle lives as long as this object, so its number belongs to nobody else.
  void kill() override { ::TerminateJobObject(job_.get(), kKilledByUs); }
  std::string error_tail() const override { return error_tail_; }
  std::uint64_t id() const override { return id_; }

 private:
  enum class Turn { Ready, Late };
  Result<Turn> wait_for(HANDLE what, TimePoint deadline);
  void drain_errors();

  const Handle process_;
  const Handle job_;
  const std::uint64_t id_;
  Handle in_;
  PipeReader out_, err_;
  LineBuffer lines_;  // of stdout, not handed out yet
  std::string error_tail_;
  std::optional<ExitStatus> status_;
};

// Waits for `what`, and meanwhile keeps the error pipe from filling up, which would stop the child.
// What comes over the error pipe moves no deadline.
Result<WindowsChild::Turn> WindowsChild::wait_for(HANDLE what, TimePoint deadline) {
  for (;;) {
    const std::array handles{what, err_.ready()};
    const DWORD count = err_.open() ? 2 : 1;
    switch (::WaitForMultipleObjects(count, handles.data(), FALSE, wait_limit(deadline))) {
      case WAIT_OBJECT_0:
        return Turn::Ready;
      case WAIT_OBJECT_0 + 1:  // and not `what`, which would be told first
        drain_errors();
        if (std::chrono::steady_clock::now() >= deadline) return Turn::Late;
        break;
      case WAIT_TIMEOUT:
        return Turn::Late;
      default:
        return windows_failure(ErrorKind::Environment, "wait for the child", ::GetLastError());
    }
  }
}

void WindowsChild::drain_errors() {
  for (int i = 0; i < kPiecesAtOnce; ++i) {
    const std::string_view piece = err_.take();
    if (piece.empty()) return;
    error_tail_.append(piece);
    if (error_tail_.size() > kErrorTail) error_tail_.erase(0, error_tail_.size() - kErrorTail);
  }
}

Result<void> WindowsChild::write(std::string_view bytes, TimePoint deadline) {
  while (!bytes.empty()) {
    if (!in_) return fail(ErrorKind::Vanished, "the child's input is closed");
    PipeWrite piece(in_, bytes);
    const auto turn = wait_for(piece.done(), deadline);
    if (!turn) return std::unexpected(turn.error());
    if (*turn == Turn::Late) return fail(ErrorKind::Transient, "the child reads too slowly");
    const auto taken = piece.taken();
    if (!taken) return std::unexpected(taken.error());
    bytes.remove_prefix(*taken);
  }
  return {};
}

Result<std::optional<std::string>> WindowsChild::read_line(TimePoint deadline) {
  for (;;) {
    if (auto line = lines_.take_line()) return line;
    if (lines_.size() > kLineLimit) return fail(ErrorKind::Input, "the child's line is too long");
    if (!out_.open()) return lines_.take_rest();
    const auto turn = wait_for(out_.ready(), deadline);
    if (!turn) return std::unexpected(turn.error());
    if (*turn == Turn::Late) return fail(ErrorKind::Transient, "the child does not answer");
    lines_.append(out_.take());
  }
}

Result<std::optional<ExitStatus>> WindowsChild::wait(TimePoint deadline) {
  if (status_) return status_;
  const auto turn = wait_for(process_.get(), deadline);
  if (!turn) return std::unexpected(turn.error());
  if (*turn == Turn::Late) return std::nullopt;
  drain_errors();
  DWORD code = 0;
  ::GetExitCodeProcess(process_.get(), &code);
  kill();
  const auto how = code >= kFirstFault ? ExitStatus::How::Killed : ExitStatus::How::Exited;
  status_ = ExitStatus{how, static_cast<int>(code)};
  return status_;
}

}  // namespace

std::unique_ptr<Child> make_child(ChildHandles handles) {
  return std::make_unique<WindowsChild>(std::move(handles));
}

}  // namespace millrace::process
