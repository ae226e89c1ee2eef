#include "tests/api_server/server_linux.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <queue>
#include <set>
#include <unordered_map>
#include <vector>

#include "tests/api_server/connection.hpp"

namespace millrace::test {
namespace {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::unexpected<Error> system_error(const std::string& what) {
  return fail(ErrorKind::Environment, what + ": " + std::strerror(errno), errno);
}

Result<Fd> listen_tcp(int& port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
      ::listen(fd.get(), 4096) != 0) {
    return system_error("listen on port " + std::to_string(port));
  }
  socklen_t length = sizeof at;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &length);
  port = ntohs(at.sin_port);
  return fd;
}

Result<Fd> listen_unix(const std::string& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (path.size() >= sizeof at.sun_path) return fail(ErrorKind::Environment, "path too long");
  std::memcpy(at.sun_path, path.c_str(), path.size() + 1);
  ::unlink(path.c_str());
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
      ::listen(fd.get(), 4096) != 0) {
    return system_error("listen on " + path);
  }
  return fd;
}

struct Client {
  Client(Service& service, std::uint64_t number) : connection(service, number) {}
  Fd fd;
  Connection connection;
  std::uint32_t events = 0;
  std::optional<TimePoint> timer;
};

}  // namespace

struct Server::State {
  explicit State(Service s) : service(std::move(s)) {}

  void watch(int fd, std::uint64_t id, int how, std::uint32_t events);
  void accept_all(int listener);
  void handle(std::uint64_t id, std::uint32_t events, TimePoint now);
  void read_some(Client& client, TimePoint now);
  void settle(std::uint64_t id, TimePoint now);
  bool write_some(Client& client, TimePoint now);
  void close(std::uint64_t id, Client& client);
  void run_timers(TimePoint now);
  int timeout(TimePoint now) const;

  // Ids below kFirstClient are the listeners and the signals.
  static constexpr std::uint64_t kTcp = 1, kUnix = 2, kSignals = 3, kFirstClient = 10;
  Service service;
  Fd epoll, tcp, local, signals;
  int port = 0;
  std::uint64_t next_id = kFirstClient;
  std::unordered_map<std::uint64_t, std::unique_ptr<Client>> clients;
  std::set<std::pair<TimePoint, std::uint64_t>> timers;
  std::vector<char> buffer = std::vector<char>(256 * 1024);
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;
int Server::port() const { return state_->port; }

Result<std::unique_ptr<Server>> Server::listen(const ServerOptions& options, Service service) {
  auto state = std::make_unique<State>(std::move(service));
  state->port = options.port;
  state->epoll = Fd(::epoll_create1(EPOLL_CLOEXEC));
  auto tcp = listen_tcp(state->port);
  if (!tcp) return std::unexpected(tcp.error());
  state->tcp = std::move(*tcp);
  state->watch(state->tcp.get(), State::kTcp, EPOLL_CTL_ADD, EPOLLIN);
  if (!options.unix_socket.empty()) {
    auto local = listen_unix(options.unix_socket);
    if (!local) return std::unexpected(local.error());
    state->local = std::move(*local);
    state->watch(state->local.get(), State::kUnix, EPOLL_CTL_ADD, EPOLLIN);
  }
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  state->signals = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  state->watch(state->signals.get(), State::kSignals, EPOLL_CTL_ADD, EPOLLIN);
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

void Server::run() {
  State& s = *state_;
  std::array<epoll_event, 256> events{};
  for (;;) {
    const auto before = std::chrono::steady_clock::now();
    const int n = ::epoll_wait(s.epoll.get(), events.data(), static_cast<int>(events.size()),
                               s.timeout(before));
    const auto now = std::chrono::steady_clock::now();
    for (int i = 0; i < n; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == State::kSignals) {
        s.clients.clear();
        s.service.book().flush();
        return;
      }
      if (event.data.u64 == State::kTcp)
        s.accept_all(s.tcp.get());
      else if (event.data.u64 == State::kUnix)
        s.accept_all(s.local.get());
      else
        s.handle(event.data.u64, event.events, now);
    }
    s.run_timers(now);
    s.service.book().flush();
  }
}

void Server::State::watch(int fd, std::uint64_t id, int how, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  ::epoll_ctl(epoll.get(), how, fd, &event);
}

void Server::State::accept_all(int listener) {
  for (;;) {
    Fd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() < 0) return;
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    service.book().connection_accepted();
    const std::uint64_t id = next_id++;
    auto client = std::make_unique<Client>(service, service.book().connections());
    client->fd = std::move(fd);
    client->events = EPOLLIN;
    watch(client->fd.get(), id, EPOLL_CTL_ADD, EPOLLIN);
    clients.emplace(id, std::move(client));
  }
}

void Server::State::handle(std::uint64_t id, std::uint32_t events, TimePoint now) {
  const auto found = clients.find(id);
  if (found == clients.end()) return;
  Client& client = *found->second;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_some(client, now);
  settle(id, now);
}

void Server::State::read_some(Client& client, TimePoint now) {
  if (client.fd.get() < 0) return;
  const ssize_t n = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
  if (n > 0) {
    client.connection.received({buffer.data(), static_cast<std::size_t>(n)}, now);
  } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    client.connection.gone();
    client.fd.reset();
  }
}

// Writes what can be written, then brings epoll and timers in line with what the client waits for.
void Server::State::settle(std::uint64_t id, TimePoint now) {
  Client& client = *clients.at(id);
  if (client.fd.get() >= 0 && !write_some(client, now)) {
    client.connection.gone();
    client.fd.reset();
  }
  if (client.fd.get() < 0 && !client.connection.converting()) return close(id, client);
  if (client.connection.end()) return close(id, client);
  if (client.timer != client.connection.wake()) {
    if (client.timer) timers.erase({*client.timer, id});
    client.timer = client.connection.wake();
    if (client.timer) timers.insert({*client.timer, id});
  }
  if (client.fd.get() < 0) return;
  const std::uint32_t wanted = (client.connection.wants_input() ? EPOLLIN : 0u) |
                               (client.connection.output().empty() ? 0u : EPOLLOUT);
  if (wanted != client.events) {
    client.events = wanted;
    watch(client.fd.get(), id, EPOLL_CTL_MOD, wanted);
  }
}

bool Server::State::write_some(Client& client, TimePoint now) {
  // Bounded, so that an endless answer does not starve the others.
  for (int turns = 0; turns < 64; ++turns) {
    const std::string_view out = client.connection.output();
    if (out.empty()) return true;
    const ssize_t n = ::send(client.fd.get(), out.data(), out.size(), MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    client.connection.written(static_cast<std::size_t>(n), now);
  }
  return true;
}

void Server::State::close(std::uint64_t id, Client& client) {
  if (client.fd.get() >= 0 && client.connection.end() == WireEnd::Reset) {
    const linger hard{1, 0};
    ::setsockopt(client.fd.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  } else if (client.fd.get() >= 0) {
    // A close with unread input would reset the connection and could eat the answer.
    ::shutdown(client.fd.get(), SHUT_WR);
    for (int i = 0; i < 1000; ++i) {
      if (::recv(client.fd.get(), buffer.data(), buffer.size(), 0) <= 0) break;
    }
  }
  if (client.timer) timers.erase({*client.timer, id});
  clients.erase(id);
}

void Server::State::run_timers(TimePoint now) {
  while (!service.is_held() && !timers.empty() && timers.begin()->first <= now) {
    const std::uint64_t id = timers.begin()->second;
    timers.erase(timers.begin());
    Client& client = *clients.at(id);
    client.timer.reset();
    client.connection.tick(now);
    settle(id, now);
  }
}

int Server::State::timeout(TimePoint now) const {
  if (timers.empty() || service.is_held()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers.begin()->first - now);
  return left.count() < 0 ? 0 : static_cast<int>(std::min<std::int64_t>(left.count(), 60000));
}

}  // namespace millrace::test
