#include "tests/http/listening_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

namespace millrace::test {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

std::intptr_t listen_on_loopback(int backlog, int& port) {
  std::signal(SIGPIPE, SIG_IGN);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, backlog) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw std::runtime_error("cannot listen");
  port = ntohs(address.sin_port);
  return fd;
}

std::intptr_t accept_on(std::intptr_t listener) {
  const int fd = ::accept4(static_cast<int>(listener), nullptr, nullptr, SOCK_CLOEXEC);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void stop_listening(std::intptr_t listener) { end_all_waits(listener); }

bool wait_for_input(std::intptr_t socket, std::chrono::milliseconds at_most) {
  pollfd one{static_cast<int>(socket), POLLIN, 0};
  return ::poll(&one, 1, static_cast<int>(at_most.count())) > 0;
}

void end_sending(std::intptr_t socket) { ::shutdown(static_cast<int>(socket), SHUT_WR); }

void end_all_waits(std::intptr_t socket) { ::shutdown(static_cast<int>(socket), SHUT_RDWR); }

std::intptr_t reset_now(std::intptr_t socket) {
  const sockaddr none{AF_UNSPEC, {}};
  ::connect(static_cast<int>(socket), &none, sizeof none);
  return socket;
}

std::intptr_t begin_to_connect(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const sockaddr_in address = loopback(port);
  (void)::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return fd;
}

Ports ports_of(std::intptr_t socket) {
  sockaddr_in ends[2]{};
  socklen_t length = sizeof(sockaddr_in);
  ::getsockname(static_cast<int>(socket), reinterpret_cast<sockaddr*>(&ends[0]), &length);
  ::getpeername(static_cast<int>(socket), reinterpret_cast<sockaddr*>(&ends[1]), &length);
  return {ntohs(ends[0].sin_port), ntohs(ends[1].sin_port)};
}

std::vector<std::byte> address_bytes(const std::string& text) {
  const bool six = text.find(':') != std::string::npos;
  std::vector<std::byte> bytes(six ? 16 : 4);
  if (::inet_pton(six ? AF_INET6 : AF_INET, text.c_str(), bytes.data()) != 1)
    throw std::runtime_error("no address: " + text);
  return bytes;
}

}  // namespace millrace::test
