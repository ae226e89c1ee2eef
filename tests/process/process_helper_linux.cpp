// What the tests of this unit start. `confine SCRATCH OUTSIDE`: confines itself, then prints one
// line for each thing that it tries. `parent`: starts a grandchild, prints its number and waits.
#include <fcntl.h>
#include <linux/limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <thread>

#include "platform/process/sandbox.hpp"

// The leak checker of the address sanitizer works by ptrace, which a confined process is refused.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }

namespace {

using namespace millrace;

void attempt(const char* name, const std::function<long()>& action) {
  errno = 0;
  const long result = action();
  std::cout << name << (result >= 0 ? " done" : " refused") << ' ' << errno << std::endl;
}

long create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (fd >= 0) ::close(fd);
  return fd;
}

long run_program() {
  char* argv[] = {const_cast<char*>("/bin/true"), nullptr};
  pid_t pid = -1;
  const int code = ::posix_spawn(&pid, argv[0], nullptr, nullptr, argv, argv + 1);
  if (code == 0) ::waitpid(pid, nullptr, 0);
  errno = code;
  return code == 0 ? 0 : -1;
}

long start_thread_of_own() {
  int seen = 0;
  std::thread([&] { seen = 1; }).join();
  return seen == 1 ? 0 : -1;
}

int confine_and_try(const std::string& scratch, const std::string& outside) {
  ConfineRules rules;
  rules.scratch = scratch;
  rules.readable = {"/usr/lib", "/lib", "/no/such/folder"};
  rules.limits.open_files = 64;
  const auto done = confine(rules);
  if (!done) {
    std::cout << "error " << done.error().message << std::endl;
    return 1;
  }
  std::cout << (done->system_calls ? "calls" : "no-calls") << (done->paths ? " paths" : " no-paths")
            << std::endl
            << done->text << std::endl;
  attempt("socket-inet", [] { return ::socket(AF_INET, SOCK_STREAM, 0); });
  attempt("socket-unix", [] { return ::socket(AF_UNIX, SOCK_STREAM, 0); });
  attempt("run-program", run_program);
  attempt("exec", [] {
    char* argv[] = {const_cast<char*>("/bin/true"), nullptr};
    return ::execve(argv[0], argv, argv + 1);
  });
  attempt("fork", [] { return ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); });
  attempt("kill-parent", [] { return ::kill(::getppid(), 0); });
  attempt("ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); });
  attempt("io-uring", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); });
  attempt("chmod-outside", [&] { return ::chmod(outside.c_str(), 0777); });
  attempt("chmod-anew", [&] {
    constexpr long kFchmodat2 = 452;
    return ::syscall(kFchmodat2, AT_FDCWD, outside.c_str(), 0777, 0);
  });
  attempt("own-signals", [] { return ::fcntl(STDOUT_FILENO, F_SETOWN, ::getppid()); });
  attempt("choose-signal", [] { return ::fcntl(STDOUT_FILENO, F_SETSIG, SIGTERM); });
  attempt("own-signals-anew", [] {
    const f_owner_ex owner{F_OWNER_PID, ::getppid()};
    return ::fcntl(STDOUT_FILENO, F_SETOWN_EX, &owner);
  });
  attempt("descriptor-flags", [] { return ::fcntl(STDOUT_FILENO, F_GETFL); });
  attempt("write-scratch", [&] { return create(scratch + "/a"); });
  attempt("truncate-scratch", [&] { return ::truncate((scratch + "/a").c_str(), 0); });
  attempt("truncate-unwritten",
          [&] { return ::open((scratch + "/a").c_str(), O_RDONLY | O_TRUNC); });
  attempt("truncate-unread", [&] { return ::open((scratch + "/a").c_str(), O_ACCMODE | O_TRUNC); });
  attempt("truncate-writing", [&] { return ::open((scratch + "/a").c_str(), O_WRONLY | O_TRUNC); });
  attempt("rename-scratch",
          [&] { return ::rename((scratch + "/a").c_str(), (scratch + "/b").c_str()); });
  attempt("unlink-scratch", [&] { return ::unlink((scratch + "/b").c_str()); });
  attempt("write-outside", [&] { return create(outside + "/a"); });
  attempt("write-dotdot", [&] { return create(scratch + "/../stray"); });
  attempt("truncate-outside", [&] { return ::truncate((outside + "/kept").c_str(), 0); });
  attempt("unlink-outside", [&] { return ::unlink((outside + "/kept").c_str()); });
  attempt("read-outside", [&] { return ::open((outside + "/kept").c_str(), O_RDONLY); });
  attempt("read-system", [] { return ::open("/usr/lib", O_RDONLY | O_DIRECTORY); });
  attempt("thread", start_thread_of_own);
  attempt("raise-limit", [] {
    const rlimit more{1024, 1024};
    return ::prlimit(::getppid(), RLIMIT_NOFILE, &more, nullptr);
  });
  return 0;
}

int parent() {
  auto launcher = make_launcher();
  SpawnRequest request;
  request.program = "/bin/sleep";
  request.arguments = {"600"};
  auto child = (*launcher)->spawn(request);
  if (!child) return 1;
  std::cout << (*child)->id() << std::endl;
  for (;;) ::pause();
}

int confine_with_a_thread() {
  std::thread other([] { ::pause(); });
  ConfineRules rules;
  rules.scratch = "/tmp";
  const auto done = confine(rules);
  std::cout << (done ? "confined" : done.error().message) << std::endl;
  ::_exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "confine" && argc == 4) return confine_and_try(argv[2], argv[3]);
  if (mode == "thread") return confine_with_a_thread();
  if (mode == "parent") return parent();
  return 2;
}
