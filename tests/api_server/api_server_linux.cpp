#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
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

std::uint64_t number_after(const std::string& json, std::string_view name) {
  const std::string start = '"' + std::string(name) + "\":";
  const auto at = json.find(start);
  if (at == std::string::npos) throw std::runtime_error("no " + start + " in " + json);
  return std::strtoull(json.c_str() + at + start.size(), nullptr, 10);
}

std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

}  // namespace

std::string api_server_path() { return MILLRACE_API_SERVER; }

ApiServer::ApiServer(std::vector<std::string> options) {
  options.insert(options.begin(), {api_server_path(), "--die-with-parent"});
  std::vector<char*> argv;
  for (std::string& option : options) argv.push_back(option.data());
  argv.push_back(nullptr);
  int out[2];
  if (::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  const int failed = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  const std::string line = failed == 0 ? read_line(out[0]) : "";
  ::close(out[0]);
  if (line.empty()) throw std::runtime_error("cannot start " + options[0]);
  port_ = static_cast<int>(number_after(line, "port"));
}

ApiServer::~ApiServer() { stop(); }

void ApiServer::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string ApiServer::url() const {
  return "http://127.0.0.1:" + std::to_string(port_) + "/v1/convert";
}

std::string ApiServer::ask(const std::string& request) const {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(port_));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size())) {
    char buffer[4096];
    // The answer's own length ends it; the connection stays open.
    while (answer.find("\r\n\r\n") == std::string::npos ||
           answer.size() < answer.find("\r\n\r\n") + 4 +
                               std::strtoull(answer.c_str() + answer.find("Content-Length: ") + 16,
                                             nullptr, 10)) {
      const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
      if (n <= 0) break;
      answer.append(buffer, static_cast<std::size_t>(n));
    }
  }
  ::close(fd);
  if (!answer.starts_with("HTTP/1.1 200")) throw std::runtime_error("control: " + answer);
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

void ApiServer::faults(std::string_view script) const { ask(post("/_control/faults", script)); }
void ApiServer::latency(std::string_view rule) const { ask(post("/_control/latency", rule)); }

std::string ApiServer::bill() const {
  return ask("GET /_control/bill HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

std::uint64_t ApiServer::count(std::string_view name) const { return number_after(bill(), name); }

}  // namespace millrace::test
