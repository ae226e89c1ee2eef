#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <future>

#include "platform/base/mutex.hpp"
#include "platform/base/thread.hpp"
#include "platform/process/child_posix.hpp"
#include "platform/process/limits_linux.hpp"
#include "platform/process/process.hpp"

namespace millrace {
namespace {

using process::ChildHandles;

enum class Step : int { ParentGone, Group, Streams, Descriptors, Folder, Limits, Program };
constexpr std::array<const char*, 7> kStepNames{
    "the parent ended", "process group",   "streams",      "descriptors",
    "working folder",   "resource limits", "start program"};

struct Failure {
  Step step;
  int code;
};

// All that the child needs, made before fork: between fork and exec nothing may allocate or lock,
// since another thread of the parent may have held that lock (signal-safety(7)).
struct ExecPlan {
  const char* program = nullptr;
  const char* directory = nullptr;  // null: stay
  std::vector<char*> argv;
  std::vector<char*> envp;
  std::array<int, 3> streams{-1, -1, -1};  // what becomes 0, 1, 2; all above 2
  process::LimitRows limits{};
  bool dies_with_parent = true;
  pid_t parent = -1;
  int report = -1;  // closed by exec; carries a Failure otherwise
};

[[noreturn]] void give_up(const ExecPlan& plan, Step step, int code) {
  const Failure failure{step, code};
  [[maybe_unused]] const ssize_t wrote = ::write(plan.report, &failure, sizeof failure);
  ::_exit(127);
}

void reset_signals() {
  struct sigaction fresh{};
  fresh.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &fresh, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Everything but the three streams closes at exec.
bool close_others() {
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return true;
  if (errno != ENOSYS && errno != EINVAL) return false;
  const long count = ::sysconf(_SC_OPEN_MAX);  // before Linux 5.11
  for (int fd = 3; fd < count; ++fd) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags >= 0) ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
  }
  return true;
}

[[noreturn]] void become(const ExecPlan& plan) {
  if (::setpgid(0, 0) != 0) give_up(plan, Step::Group, errno);
  if (plan.dies_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // A parent that ended before the line above sends nothing.
    if (::getppid() != plan.parent) give_up(plan, Step::ParentGone, 0);
  }
  for (int target = 0; target < 3; ++target) {
    const int source = plan.streams[static_cast<std::size_t>(target)];
    if (::dup2(source, target) < 0) give_up(plan, Step::Streams, errno);
  }
  if (!close_others()) give_up(plan, Step::Descriptors, errno);
  if (plan.directory != nullptr && ::chdir(plan.directory) != 0) {
    give_up(plan, Step::Folder, errno);
  }
  if (const int code = process::apply_limits(plan.limits); code != 0) {
    give_up(plan, Step::Limits, code);
  }
  reset_signals();
  ::execve(plan.program, plan.argv.data(), plan.envp.data());
  give_up(plan, Step::Program, errno);
}

struct StreamEnds {
  Descriptor parent;
  Descriptor child;
};

// A copy above 2, so that no dup2 of the child overwrites what a later one reads.
Result<Descriptor> above_standard(Descriptor fd) {
  if (fd.get() > 2) return fd;
  const int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return fail(ErrorKind::Environment, "descriptor for a child", errno);
  return Descriptor(copy);
}

Result<StreamEnds> open_stream(ChildStream kind, int number) {
  StreamEnds ends;
  if (kind == ChildStream::Pipe) {
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) != 0) return fail(ErrorKind::Environment, "pipe", errno);
    const bool child_reads = number == STDIN_FILENO;
    ends.parent = Descriptor(fds[child_reads ? 1 : 0]);
    ends.child = Descriptor(fds[child_reads ? 0 : 1]);
  } else if (kind == ChildStream::Inherit && ::fcntl(number, F_GETFD) >= 0) {
    ends.child = Descriptor(::fcntl(number, F_DUPFD_CLOEXEC, 3));
  } else {
    ends.child = Descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC));
  }
  if (!ends.child) return fail(ErrorKind::Environment, "stream of a child", errno);
  auto moved = above_standard(std::move(ends.child));
  if (!moved) return std::unexpected(moved.error());
  ends.child = std::move(*moved);
  return ends;
}

struct Texts {
  std::string program;
  std::string directory;
  std::vector<std::string> environment;
};

ExecPlan plan_for(SpawnRequest& request, Texts& texts) {
  texts.program = request.program.string();
  texts.directory = request.directory.string();
  for (const auto& [name, value] : request.environment) {
    texts.environment.push_back(name + "=" + value);
  }
  ExecPlan plan;
  plan.program = texts.program.c_str();
  if (!texts.directory.empty()) plan.directory = texts.directory.c_str();
  plan.argv.push_back(texts.program.data());
  for (auto& argument : request.arguments) plan.argv.push_back(argument.data());
  plan.argv.push_back(nullptr);
  for (auto& entry : texts.environment) plan.envp.push_back(entry.data());
  plan.envp.push_back(nullptr);
  plan.limits = process::limit_rows(request.limits);
  plan.dies_with_parent = request.with_parent == WithParent::Dies;
  plan.parent = ::getpid();
  return plan;
}

// Nothing arrives once exec succeeded: the other end closes.
Result<void> hear_of_exec(const Descriptor& report, const std::string& program) {
  Failure failure{};
  ssize_t got = 0;
  do {
    got = ::read(report.get(), &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return {};
  if (got != static_cast<ssize_t>(sizeof failure)) {
    return fail(ErrorKind::Environment, "start " + program, errno);
  }
  const bool absent = failure.step == Step::Program && failure.code == ENOENT;
  return fail(absent ? ErrorKind::Vanished : ErrorKind::Environment,
              "start " + program + ": " + kStepNames[static_cast<std::size_t>(failure.step)] +
                  ": " + std::strerror(failure.code),
              failure.code);
}

Result<std::unique_ptr<Child>> spawn_here(SpawnRequest request) {
  if (!request.program.is_absolute()) {
    return fail(ErrorKind::Defect, "program of a child is not an absolute path");
  }
  Texts texts;
  ExecPlan plan = plan_for(request, texts);
  std::array<StreamEnds, 3> streams;
  const std::array kinds{request.in, request.out, request.err};
  for (int number = 0; number < 3; ++number) {
    const auto at = static_cast<std::size_t>(number);
    auto ends = open_stream(kinds[at], number);
    if (!ends) return std::unexpected(ends.error());
    streams[at] = std::move(*ends);
    plan.streams[at] = streams[at].child.get();
  }
  auto report = open_stream(ChildStream::Pipe, STDOUT_FILENO);
  if (!report) return std::unexpected(report.error());
  plan.report = report->child.get();

  const pid_t pid = ::fork();
  if (pid < 0) return fail(ErrorKind::Environment, "fork", errno);
  if (pid == 0) become(plan);
  ::setpgid(pid, pid);  // whichever of the two comes first; after exec it fails, and is done
  report->child.reset();

  ChildHandles handles{pid, Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))),
                       std::move(streams[0].parent), std::move(streams[1].parent),
                       std::move(streams[2].parent)};
  const int pidfd_error = errno;
  const bool has_pidfd = static_cast<bool>(handles.ended);
  auto child = process::make_child(std::move(handles));
  if (auto started = hear_of_exec(report->parent, texts.program); !started) {
    return std::unexpected(started.error());
  }
  if (!has_pidfd) return fail(ErrorKind::Environment, "pidfd_open", pidfd_error);
  return child;
}

// The kernel reports the death of the thread that forked, not of the process, so one thread forks
// for all and lives as long as the launcher.
class LinuxLauncher final : public Launcher {
 public:
  LinuxLauncher()
      : thread_(start_thread("launcher", [this](const std::stop_token&) { serve(); })) {}

  ~LinuxLauncher() override {
    {
      const MutexLock lock(mutex_);
      ended_ = true;
    }
    wake_.notify_all();
  }

  Result<std::unique_ptr<Child>> spawn(SpawnRequest request) override {
    Task task([request = std::move(request)]() mutable { return spawn_here(std::move(request)); });
    auto answer = task.get_future();
    {
      const MutexLock lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
    return answer.get();
  }

 private:
  using Task = std::packaged_task<Result<std::unique_ptr<Child>>()>;

  void serve() {
    // No handler of ours may run in a child before exec; the child sets its own empty mask.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    for (;;) {
      Task task;
      {
        MutexLock lock(mutex_);
        while (tasks_.empty() && !ended_) wake_.wait(lock);
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

  Mutex mutex_;
  CondVar wake_;
  std::deque<Task> tasks_ GUARDED_BY(mutex_);
  bool ended_ GUARDED_BY(mutex_) = false;
  std::jthread thread_;  // last: it uses what stands above
};

}  // namespace

std::string to_string(const ExitStatus& status) {
  return (status.how == ExitStatus::How::Exited ? "exit code " : "killed by signal ") +
         std::to_string(status.code);
}

Result<std::unique_ptr<Launcher>> make_launcher() {
  try {
    return std::make_unique<LinuxLauncher>();
  } catch (const std::system_error& error) {
    return fail(ErrorKind::Environment, "thread of the launcher", error.code().value());
  }
}

Result<std::filesystem::path> own_program_folder() {
  std::error_code error;
  auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail(ErrorKind::Environment, "own program", error.value());
  return self.parent_path();
}

}  // namespace millrace
