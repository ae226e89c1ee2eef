#include "tests/http/listening_socket.hpp"

#include <winsock2.h>
#include <ws2tcpip.h>

#include <stdexcept>

namespace millrace::test {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = ::htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  return address;
}

SOCKET as_socket(std::intptr_t socket) { return static_cast<SOCKET>(socket); }

SOCKET new_socket() {
  WSADATA ignored{};
  ::WSAStartup(MAKEWORD(2, 2), &ignored);
  return ::WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

}  // namespace

std::intptr_t listen_on_loopback(int backlog, int& port) {
  const SOCKET socket = new_socket();
  sockaddr_in address = loopback(0);
  int length = sizeof address;
  if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket, backlog) != 0 ||
      ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw std::runtime_error("cannot listen");
  port = ::ntohs(address.sin_port);
  return static_cast<std::intptr_t>(socket);
}

std::intptr_t accept_on(std::intptr_t listener) {
  const SOCKET socket = ::accept(as_socket(listener), nullptr, nullptr);
  if (socket == INVALID_SOCKET) return kNoSocket;
  ::SetHandleInformation(reinterpret_cast<HANDLE>(socket), HANDLE_FLAG_INHERIT, 0);
  const BOOL on = TRUE;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char*>(&on), sizeof on);
  return static_cast<std::intptr_t>(socket);
}

// Nothing but a connection ends accept() on every Windows.
void stop_listening(std::intptr_t listener) {
  sockaddr_in address{};
  int length = sizeof address;
  ::getsockname(as_socket(listener), reinterpret_cast<sockaddr*>(&address), &length);
  const SOCKET socket = new_socket();
  ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::closesocket(socket);
}

bool wait_for_input(std::intptr_t socket, std::chrono::milliseconds at_most) {
  WSAPOLLFD one{as_socket(socket), POLLRDNORM, 0};
  return ::WSAPoll(&one, 1, static_cast<INT>(at_most.count())) > 0;
}

void end_sending(std::intptr_t socket) { ::shutdown(as_socket(socket), SD_SEND); }

void end_all_waits(std::intptr_t socket) {
  if (socket == kNoSocket) return;
  ::shutdown(as_socket(socket), SD_BOTH);
  ::CancelIoEx(reinterpret_cast<HANDLE>(socket), nullptr);
}

std::intptr_t reset_now(std::intptr_t socket) {
  close_socket(socket, Close::Reset);
  return kNoSocket;
}

std::intptr_t begin_to_connect(int port) {
  const SOCKET socket = new_socket();
  u_long on = 1;
  ::ioctlsocket(socket, static_cast<long>(FIONBIO), &on);
  const sockaddr_in address = loopback(port);
  ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return static_cast<std::intptr_t>(socket);
}

Ports ports_of(std::intptr_t socket) {
  sockaddr_in ends[2]{};
  int length = sizeof(sockaddr_in);
  ::getsockname(as_socket(socket), reinterpret_cast<sockaddr*>(&ends[0]), &length);
  ::getpeername(as_socket(socket), reinterpret_cast<sockaddr*>(&ends[1]), &length);
  return {::ntohs(ends[0].sin_port), ::ntohs(ends[1].sin_port)};
}

std::vector<std::byte> address_bytes(const std::string& text) {
  WSADATA ignored{};
  ::WSAStartup(MAKEWORD(2, 2), &ignored);
  const bool six = text.find(':') != std::string::npos;
  std::vector<std::byte> bytes(six ? 16 : 4);
  if (::inet_pton(six ? AF_INET6 : AF_INET, text.c_str(), bytes.data()) != 1)
    throw std::runtime_error("no address: " + text);
  return bytes;
}

}  // namespace millrace::test
