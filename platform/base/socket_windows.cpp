#include "platform/base/socket.hpp"

#include <winsock2.h>
#include <ws2ipdef.h>

namespace millrace {

std::intptr_t open_cloexec_socket(int domain, int type, int protocol) {
  return static_cast<std::intptr_t>(::WSASocketW(domain, type, protocol, nullptr, 0,
                                                 WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
}

bool is_silent_socket(std::intptr_t socket) {
  WSAPOLLFD look{static_cast<SOCKET>(socket), POLLRDNORM, 0};
  return ::WSAPoll(&look, 1, 0) == 0;
}

std::chrono::milliseconds longest_socket_wait() { return std::chrono::milliseconds{20}; }

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
