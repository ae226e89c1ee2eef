#include "tests/http/raw_socket.hpp"

#include <winsock2.h>
#include <ws2tcpip.h>

namespace millrace::test {

std::intptr_t connect_socket(const std::string& address) {
  WSADATA ignored{};
  ::WSAStartup(MAKEWORD(2, 2), &ignored);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port =
      ::htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  const SOCKET socket = ::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
  const DWORD patience = 20'000;
  const auto* value = reinterpret_cast<const char*>(&patience);
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, value, sizeof patience);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, value, sizeof patience);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0)
    return static_cast<std::intptr_t>(socket);
  ::closesocket(socket);
  return kNoSocket;
}

std::ptrdiff_t send_some(std::intptr_t socket, std::string_view bytes) {
  return ::send(static_cast<SOCKET>(socket), bytes.data(), static_cast<int>(bytes.size()), 0);
}

std::ptrdiff_t receive_some(std::intptr_t socket, std::span<char> into) {
  const int n = ::recv(static_cast<SOCKET>(socket), into.data(), static_cast<int>(into.size()), 0);
  return n < 0 && ::WSAGetLastError() == WSAECONNRESET ? kReset : n;
}

void close_socket(std::intptr_t socket, Close how) {
  const linger hard{1, 0};
  if (how == Close::Reset) {
    ::setsockopt(static_cast<SOCKET>(socket), SOL_SOCKET, SO_LINGER,
                 reinterpret_cast<const char*>(&hard), sizeof hard);
  }
  ::closesocket(static_cast<SOCKET>(socket));
}

}  // namespace millrace::test
