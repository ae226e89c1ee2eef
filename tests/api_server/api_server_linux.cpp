#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include "tests/api_server/api_server.hpp"

extern char** environ;

namespace millrace::test {
namespace {

std::string read_line(int fd) {
  std::string line;
  for (char c = 0; ::read(fd, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

// {"port":4123,...
int port_in(const std::string& line) {
  const auto colon = line.find(':');
  return colon == std::string::npos ? 0 : std::atoi(line.c_str() + colon + 1);
}

}  // namespace

struct ApiServer::Running {
  pid_t pid = -1;
  ~Running() {
    ::kill(pid, SIGTERM);
    ::waitpid(pid, nullptr, 0);
  }
};

ApiServer::ApiServer(std::vector<std::string> options) {
  options.insert(options.begin(), {MILLRACE_API_SERVER, "--die-with-parent"});
  std::vector<char*> argv;
  for (std::string& option : options) argv.push_back(option.data());
  argv.push_back(nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  int out[2];
  if (::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  if (failed == 0) running_ = std::make_unique<Running>(pid);
  port_ = port_in(failed == 0 ? read_line(out[0]) : "");
  ::close(out[0]);
  if (port_ == 0) throw std::runtime_error("cannot start " + options[0]);
}

ApiServer::~ApiServer() = default;

}  // namespace millrace::test
