#include "platform/process/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/event.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "platform/base/own_program_macos.hpp"
#include "platform/process/child_posix.hpp"

namespace millrace {
namespace {

using process::ChildHandles;

std::unexpected<Error> refused(const std::string& what, int code) {
  return fail(code == ENOENT ? ErrorKind::Vanished : ErrorKind::Environment,
              what + ": " + std::strerror(code), code);
}

struct StreamEnds {
  Descriptor parent;
  Descriptor child;
};

Result<StreamEnds> open_stream(ChildStream kind, int number) {
  StreamEnds ends;
  if (kind == ChildStream::Pipe) {
    std::array<int, 2> fds{};
    if (::pipe(fds.data()) != 0) return refused("pipe", errno);
    for (const int fd : fds) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    const bool child_reads = number == STDIN_FILENO;
    ends.parent = Descriptor(fds[child_reads ? 1 : 0]);
    ends.child = Descriptor(fds[child_reads ? 0 : 1]);
  } else if (kind == ChildStream::Inherit && ::fcntl(number, F_GETFD) >= 0) {
    ends.child = Descriptor(::fcntl(number, F_DUPFD_CLOEXEC, 3));
  } else {
    ends.child = Descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC));
  }
  // Above 2, so that no stream of the child is overwritten before it is read.
  if (ends.child && ends.child.get() <= 2)
    ends.child = Descriptor(::fcntl(ends.child.get(), F_DUPFD_CLOEXEC, 3));
  if (!ends.child) return refused("stream of a child", errno);
  return ends;
}

// The three streams, the folder, an own process group, default signals, and nothing else of ours.
class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    for (const int fixed : {SIGKILL, SIGSTOP}) sigdelset(&all, fixed);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_CLOEXEC_DEFAULT | POSIX_SPAWN_SETPGROUP |
                                                 POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  void take(int source, int target) {
    ::posix_spawn_file_actions_adddup2(&actions_, source, target);
  }
  void start_in(const std::string& folder) {
    ::posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str());
  }
  // 0, or the code of the refusal.
  int run(pid_t& pid, const std::string& program, SpawnRequest& request) {
    std::vector<std::string> settings;
    for (const auto& [name, value] : request.environment) settings.push_back(name + "=" + value);
    std::string first = program;
    std::vector<char*> arguments{first.data()};
    for (auto& argument : request.arguments) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    std::vector<char*> environment;
    for (auto& setting : settings) environment.push_back(setting.data());
    environment.push_back(nullptr);
    return ::posix_spawn(&pid, program.c_str(), &actions_, &attributes_, arguments.data(),
                         environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// Readable at once: the end of a pipe that nobody writes to.
Descriptor readable() {
  std::array<int, 2> fds{};
  if (::pipe(fds.data()) != 0) return Descriptor();
  ::close(fds[1]);
  ::fcntl(fds[0], F_SETFD, FD_CLOEXEC);
  return Descriptor(fds[0]);
}

// Readable when the child has ended. One that has ended before it was asked for is ESRCH to kqueue,
// although nobody has waited for it yet.
Descriptor ending_of(pid_t pid) {
  Descriptor queue(::kqueue());
  struct kevent change{};
  EV_SET(&change, static_cast<uintptr_t>(pid), EVFILT_PROC, EV_ADD | EV_ONESHOT, NOTE_EXIT, 0,
         nullptr);
  if (!queue || ::kevent(queue.get(), &change, 1, nullptr, 0, nullptr) == 0) return queue;
  return errno == ESRCH ? readable() : Descriptor();
}

bool has_limits(const ResourceLimits& limits) {
  return limits.address_space || limits.cpu_time || limits.file_size || limits.open_files;
}

// Nothing ties a child to our life here: WithParent::Dies means that its input ends.
class SpawnLauncher final : public Launcher {
 public:
  Result<std::unique_ptr<Child>> spawn(SpawnRequest request) override {
    if (!request.program.is_absolute())
      return fail(ErrorKind::Defect, "program of a child is not an absolute path");
    if (has_limits(request.limits))
      return fail(ErrorKind::Environment, "macOS starts no child with limits");
    SpawnPlan plan;
    std::array<StreamEnds, 3> streams;
    const std::array kinds{request.in, request.out, request.err};
    for (std::size_t number = 0; number < streams.size(); ++number) {
      auto ends = open_stream(kinds[number], static_cast<int>(number));
      if (!ends) return std::unexpected(ends.error());
      streams[number] = std::move(*ends);
      plan.take(streams[number].child.get(), static_cast<int>(number));
    }
    if (!request.directory.empty()) plan.start_in(request.directory.string());
    pid_t pid = -1;
    const std::string program = request.program.string();
    if (const int code = plan.run(pid, program, request); code != 0)
      return refused("start " + program, code);
    ChildHandles handles{pid, ending_of(pid), std::move(streams[0].parent),
                         std::move(streams[1].parent), std::move(streams[2].parent)};
    const bool tells = static_cast<bool>(handles.ended);
    auto child = process::make_child(std::move(handles));
    if (!tells) return fail(ErrorKind::Environment, "kqueue does not watch a child");
    return child;
  }
};

}  // namespace

std::string to_string(const ExitStatus& status) {
  return (status.how == ExitStatus::How::Exited ? "exit code " : "killed by signal ") +
         std::to_string(status.code);
}

Result<std::unique_ptr<Launcher>> make_launcher() { return std::make_unique<SpawnLauncher>(); }

Result<std::filesystem::path> own_program_folder() {
  const auto self = own_program();
  if (self.empty()) return fail(ErrorKind::Environment, "own program");
  return self.parent_path();
}

}  // namespace millrace
