#include "tests/transfer/fault_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace millrace::test {
namespace {

int listen_on_loopback(int backlog, int& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, backlog) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw std::runtime_error("cannot listen");
  port = ntohs(address.sin_port);
  return fd;
}

SSL_CTX* tls_context(const ServerTls& tls) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_security_level(context, 0);
  SSL_CTX_set_min_proto_version(context, tls.min_version);
  SSL_CTX_set_max_proto_version(context, tls.max_version);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("fault"), 5);
  if (SSL_CTX_use_certificate_chain_file(context, tls.certificate.certificate.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, tls.certificate.key.c_str(), SSL_FILETYPE_PEM) != 1)
    throw std::runtime_error("cannot use the certificate");
  return context;
}

struct Path {
  unsigned server_port = 0, peer_port = 0;
};

Path path_of(int fd) {
  sockaddr_in ends[2]{};
  socklen_t length = sizeof(sockaddr_in);
  getsockname(fd, reinterpret_cast<sockaddr*>(&ends[0]), &length);
  getpeername(fd, reinterpret_cast<sockaddr*>(&ends[1]), &length);
  return {ntohs(ends[0].sin_port), ntohs(ends[1].sin_port)};
}

// Is the peer's end of a connection on loopback established, with nothing to read?
bool is_untouched_at_peer(const Path& path) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    unsigned local = 0, remote = 0, state = 0, waiting = 0;
    if (std::sscanf(line.c_str(), " %*d: %*x:%x %*x:%x %x %*x:%x", &local, &remote, &state,
                    &waiting) == 4 &&
        local == path.peer_port && remote == path.server_port)
      return state == TCP_ESTABLISHED && waiting == 0;
  }
  return false;
}

}  // namespace

std::string answer(std::string_view status, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

Connection::~Connection() {
  if (tls_) {
    SSL_shutdown(tls_);
    SSL_free(tls_);
  }
  close(fd_);
}

std::size_t Connection::receive(char* to, std::size_t size) {
  const auto n =
      tls_ ? SSL_read(tls_, to, static_cast<int>(size)) : static_cast<int>(recv(fd_, to, size, 0));
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

std::string Connection::read_head() {
  char chunk[16384];
  for (;;) {
    if (const auto end = buffered_.find("\r\n\r\n"); end != buffered_.npos) {
      head_ = buffered_.substr(0, end + 4);
      buffered_.erase(0, end + 4);
      return head_;
    }
    const std::size_t n = receive(chunk, sizeof chunk);
    if (n == 0) return {};
    buffered_.append(chunk, n);
  }
}

std::size_t Connection::read_body(std::size_t length) {
  char chunk[65536];
  std::size_t got = std::min(length, buffered_.size());
  buffered_.erase(0, got);
  while (got < length) {
    const std::size_t n = receive(chunk, std::min(sizeof chunk, length - got));
    if (n == 0) break;
    got += n;
  }
  return got;
}

bool Connection::read_request() {
  const std::string head = read_head();
  if (head.empty()) return false;
  const auto at = head.find("Content-Length: ");
  if (at == head.npos) return true;
  if (head.find("Expect: 100-continue") != head.npos) write("HTTP/1.1 100 Continue\r\n\r\n");
  const std::size_t length = std::stoul(head.substr(at + 16));
  return read_body(length) == length;
}

bool Connection::write(std::string_view text) {
  while (!text.empty()) {
    const auto n = tls_ ? SSL_write(tls_, text.data(), static_cast<int>(text.size()))
                        : static_cast<int>(send(fd_, text.data(), text.size(), MSG_NOSIGNAL));
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void Connection::reset() {
  const linger now{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  if (tls_) SSL_set_quiet_shutdown(tls_, 1);
}

void Connection::leave(Leaving how) {
  const Path path = path_of(fd_);
  if (tls_) SSL_set_quiet_shutdown(tls_, how == Leaving::Fin || how == Leaving::Reset);
  if (how == Leaving::AnswerAndFin) write(answer("408 Request Timeout", ""));
  if (tls_) SSL_shutdown(tls_);
  if (how == Leaving::Reset) {
    const sockaddr none{AF_UNSPEC, {}};
    connect(fd_, &none, sizeof none);
  } else if (how != Leaving::Notify) {
    shutdown(fd_, SHUT_WR);
  }
  while (is_untouched_at_peer(path)) std::this_thread::yield();
}

void Connection::wait_for_close() {
  char chunk[4096];
  while (receive(chunk, sizeof chunk) > 0) {
  }
}

void Connection::unblock() { shutdown(fd_, SHUT_RDWR); }

FaultServer::FaultServer(Script script, std::optional<ServerTls> tls)
    : script_(std::move(script)),
      tls_(tls ? tls_context(*tls) : nullptr),
      is_tls_(tls_ != nullptr) {
  std::signal(SIGPIPE, SIG_IGN);
  listener_ = listen_on_loopback(512, port_);
  acceptor_ = std::jthread([this] { accept_all(); });
}

FaultServer::FaultServer(Script script, const std::filesystem::path& unix_socket)
    : script_(std::move(script)), is_tls_(false) {
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  unix_socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener_, 16) != 0)
    throw std::runtime_error("cannot listen");
  acceptor_ = std::jthread([this] { accept_all(); });
}

void FaultServer::accept_all() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const int number = ++connections_;
    const std::scoped_lock lock(mutex_);
    threads_.emplace_back([this, fd, number] { serve(fd, number); });
  }
}

FaultServer::~FaultServer() {
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  std::vector<std::jthread> threads;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    for (Connection* connection : open_) connection->unblock();
    threads.swap(threads_);
  }
  threads.clear();
  close(listener_);
  if (tls_) SSL_CTX_free(tls_);
}

std::string FaultServer::url(std::string_view path) const {
  return (is_tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_) +
         std::string(path);
}

void FaultServer::swap_certificate(const ServerTls& tls) {
  SSL_CTX* const fresh = tls_context(tls);
  const std::scoped_lock lock(mutex_);
  SSL_CTX_free(std::exchange(tls_, fresh));
}

void FaultServer::serve(int fd, int number) {
  SSL* tls = nullptr;
  if (is_tls_) {
    const std::scoped_lock lock(mutex_);
    tls = SSL_new(tls_);
    SSL_set_fd(tls, fd);
  }
  Connection connection{fd, tls};
  connection.number = number;
  {
    const std::scoped_lock lock(mutex_);
    open_.push_back(&connection);
    if (stopping_) connection.unblock();
  }
  if (!tls || SSL_accept(tls) == 1) script_(connection);
  const std::scoped_lock lock(mutex_);
  std::erase(open_, &connection);
}

DeafPort::DeafPort() {
  listener_ = listen_on_loopback(0, port_);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port_));
  for (int i = 0; i < 4; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    fillers_.push_back(fd);
  }
}

DeafPort::~DeafPort() {
  for (const int fd : fillers_) close(fd);
  close(listener_);
}

std::string DeafPort::url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

}  // namespace millrace::test
