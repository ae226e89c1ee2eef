#include "platform/process/child_posix.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "platform/base/mutex.hpp"
#include "platform/process/line_buffer.hpp"

namespace millrace::process {
namespace {

constexpr std::size_t kErrorTail = 64 * 1024;
constexpr std::size_t kChunk = 16 * 1024;
// A whole pipe with room to spare. One who writes without end fills it faster than it is read.
constexpr int kChunksAtOnce = 64;

// Milliseconds for poll(2), rounded up, so that no turn is spent on a fraction; 0 when past.
int poll_timeout(TimePoint deadline) {
  const auto now = std::chrono::steady_clock::now();
  if (deadline <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<int>(std::min<std::int64_t>(left, INT_MAX));
}

class PosixChild final : public Child {
 public:
  explicit PosixChild(ChildHandles handles)
      : pid_(handles.pid),
        ended_(std::move(handles.ended)),
        in_(std::move(handles.in)),
        out_(std::move(handles.out)),
        err_(std::move(handles.err)) {}

  ~PosixChild() override {
    kill();
    const MutexLock lock(mutex_);
    if (!status_) reap(WEXITED);
  }

  Result<void> write(std::string_view bytes, TimePoint deadline) override;
  void close_input() override { in_.reset(); }
  Result<std::optional<std::string>> read_line(TimePoint deadline) override;
  Result<std::optional<ExitStatus>> wait(TimePoint deadline) override;
  void kill() override;
  std::string error_tail() const override { return error_tail_; }
  std::uint64_t id() const override { return static_cast<std::uint64_t>(pid_); }

 private:
  enum class Turn { Ready, Late };
  Result<Turn> wait_for(int fd, short events, TimePoint deadline);
  void drain_errors();
  void reap(int how) REQUIRES(mutex_);

  const pid_t pid_;
  Descriptor ended_;
  Descriptor in_, out_, err_;
  LineBuffer lines_;  // of stdout, not handed out yet
  std::string error_tail_;

  // A number may be given to another process once it is reaped: kill() and reaping exclude one
  // another.
  Mutex mutex_;
  std::optional<ExitStatus> status_ GUARDED_BY(mutex_);
};

// Waits for `fd`, and meanwhile keeps the error pipe from filling up, which would stop the child.
// What comes over the error pipe moves no deadline.
Result<PosixChild::Turn> PosixChild::wait_for(int fd, short events, TimePoint deadline) {
  for (;;) {
    std::array<pollfd, 2> set{{{fd, events, 0}, {err_.get(), POLLIN, 0}}};
    const int ready = ::poll(set.data(), set.size(), poll_timeout(deadline));
    if (ready < 0 && errno != EINTR) return fail(ErrorKind::Environment, "poll", errno);
    if (ready > 0 && set[1].revents != 0) drain_errors();
    if (ready > 0 && set[0].revents != 0) return Turn::Ready;
    if (std::chrono::steady_clock::now() >= deadline) return Turn::Late;
  }
}

void PosixChild::drain_errors() {
  std::array<char, kChunk> chunk;
  for (int i = 0; err_ && i < kChunksAtOnce; ++i) {
    const ssize_t got = ::read(err_.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) {
      err_.reset();
      break;
    }
    error_tail_.append(chunk.data(), static_cast<std::size_t>(got));
    if (error_tail_.size() > kErrorTail) error_tail_.erase(0, error_tail_.size() - kErrorTail);
    if (static_cast<std::size_t>(got) < chunk.size()) break;
  }
}

Result<void> PosixChild::write(std::string_view bytes, TimePoint deadline) {
  while (!bytes.empty()) {
    if (!in_) return fail(ErrorKind::Vanished, "the child's input is closed");
    const ssize_t wrote = write_without_signal(in_.get(), bytes);
    if (wrote >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EPIPE) return fail(ErrorKind::Vanished, "the child reads no more", EPIPE);
    if (errno != EAGAIN) return fail(ErrorKind::Environment, "write to the child", errno);
    const auto turn = wait_for(in_.get(), POLLOUT, deadline);
    if (!turn) return std::unexpected(turn.error());
    if (*turn == Turn::Late) return fail(ErrorKind::Transient, "the child reads too slowly");
  }
  return {};
}

Result<std::optional<std::string>> PosixChild::read_line(TimePoint deadline) {
  for (;;) {
    if (auto line = lines_.take_line()) return line;
    if (lines_.size() > kLineLimit) return fail(ErrorKind::Input, "the child's line is too long");
    if (!out_) return lines_.take_rest();
    const auto turn = wait_for(out_.get(), POLLIN, deadline);
    if (!turn) return std::unexpected(turn.error());
    if (*turn == Turn::Late) return fail(ErrorKind::Transient, "the child does not answer");
    std::array<char, kChunk> chunk;
    const ssize_t got = ::read(out_.get(), chunk.data(), chunk.size());
    if (got > 0) lines_.append({chunk.data(), static_cast<std::size_t>(got)});
    if (got == 0) out_.reset();
    if (got < 0 && errno != EINTR && errno != EAGAIN) {
      return fail(ErrorKind::Environment, "read from the child", errno);
    }
  }
}

Result<std::optional<ExitStatus>> PosixChild::wait(TimePoint deadline) {
  {
    const MutexLock lock(mutex_);
    if (status_) return status_;
  }
  const auto turn = wait_for(ended_.get(), POLLIN, deadline);
  if (!turn) return std::unexpected(turn.error());
  if (*turn == Turn::Late) return std::nullopt;
  drain_errors();
  const MutexLock lock(mutex_);
  // While the child is not reaped its number, and so its group's, belongs to nobody else.
  ::kill(-pid_, SIGKILL);
  reap(WEXITED);
  return status_;
}

void PosixChild::reap(int how) {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, how) < 0) {
    // ECHILD: somebody else collected it (SIGCHLD ignored); how it ended is not known any more.
    if (errno != EINTR) {
      status_ = ExitStatus{ExitStatus::How::Killed, 0};
      return;
    }
  }
  const bool exited = info.si_code == CLD_EXITED;
  status_ = ExitStatus{exited ? ExitStatus::How::Exited : ExitStatus::How::Killed, info.si_status};
}

void PosixChild::kill() {
  const MutexLock lock(mutex_);
  if (!status_) ::kill(-pid_, SIGKILL);
}

}  // namespace

std::unique_ptr<Child> make_child(ChildHandles handles) {
  for (const Descriptor* fd : {&handles.in, &handles.out, &handles.err}) {
    if (*fd) ::fcntl(fd->get(), F_SETFL, ::fcntl(fd->get(), F_GETFL) | O_NONBLOCK);
  }
  return std::make_unique<PosixChild>(std::move(handles));
}

}  // namespace millrace::process
