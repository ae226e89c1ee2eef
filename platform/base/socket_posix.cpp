#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "platform/base/socket.hpp"

namespace millrace {

bool is_silent_socket(std::intptr_t socket) {
  pollfd look{static_cast<int>(socket), POLLIN, 0};
  return poll(&look, 1, 0) == 0;
}

std::chrono::milliseconds longest_socket_wait() { return std::chrono::milliseconds::max(); }

std::span<const std::byte> bytes_of_address(const void* address) {
  switch (static_cast<const sockaddr*>(address)->sa_family) {
    case AF_INET:
      return std::as_bytes(std::span{&static_cast<const sockaddr_in*>(address)->sin_addr, 1});
    case AF_INET6:
      return std::as_bytes(std::span{&static_cast<const sockaddr_in6*>(address)->sin6_addr, 1});
    default:
      return {};
  }
}

}  // namespace millrace
