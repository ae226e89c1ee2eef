#include "tests/http/raw_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace millrace::test {

std::intptr_t connect_socket(const std::string& address) {
  const timeval patience{20, 0};
  int fd = -1;
  int connected = -1;
  if (address.starts_with("http")) {
    const std::size_t colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected = ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to);
  } else {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, address.c_str(), sizeof to.sun_path - 1);
    fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected = ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to);
  }
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connected == 0) return fd;
  ::close(fd);
  return kNoSocket;
}

std::ptrdiff_t send_some(std::intptr_t socket, std::string_view bytes) {
  return ::send(static_cast<int>(socket), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

std::ptrdiff_t receive_some(std::intptr_t socket, std::span<char> into) {
  const ssize_t n = ::recv(static_cast<int>(socket), into.data(), into.size(), 0);
  return n < 0 && errno == ECONNRESET ? kReset : n;
}

void close_socket(std::intptr_t socket, Close how) {
  const int fd = static_cast<int>(socket);
  const linger hard{1, 0};
  if (how == Close::Reset) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(fd);
}

}  // namespace millrace::test
