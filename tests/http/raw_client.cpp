#include "tests/http/raw_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "platform/base/text.hpp"

namespace millrace::test {

RawClient::RawClient(const std::string& address) {
  const timeval patience{20, 0};
  int connected = -1;
  if (address.starts_with("http")) {
    const std::size_t colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to);
  } else {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, address.c_str(), sizeof to.sun_path - 1);
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to);
  }
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connected != 0) {
    ::close(fd_);
    throw std::runtime_error("cannot connect to " + address);
  }
}

RawClient::~RawClient() {
  if (fd_ >= 0) ::close(fd_);
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool RawClient::more() {
  char buffer[65536];
  const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
  if (n <= 0) return false;
  pending_.append(buffer, static_cast<std::size_t>(n));
  return true;
}

std::string RawClient::receive_until(std::string_view mark) {
  std::size_t at = 0;
  while ((at = pending_.find(mark)) == std::string::npos)
    if (!more()) return {};
  std::string out = pending_.substr(0, at + mark.size());
  pending_.erase(0, out.size());
  return out;
}

std::optional<RawAnswer> RawClient::receive(Body body) {
  RawAnswer answer;
  answer.head = to_lower_ascii(receive_until("\r\n\r\n"));
  if (answer.head.size() < 12) return std::nullopt;
  answer.status = std::stoi(answer.head.substr(9, 3));
  const std::size_t at = answer.head.find("\r\ncontent-length: ");
  if (at == std::string::npos || body == Body::None) return answer;
  const std::size_t length = std::stoul(answer.head.substr(at + 18));
  while (pending_.size() < length)
    if (!more()) return std::nullopt;
  answer.body = pending_.substr(0, length);
  pending_.erase(0, length);
  return answer;
}

bool RawClient::closed_by_peer() {
  if (!pending_.empty()) return false;
  char byte = 0;
  const ssize_t n = ::recv(fd_, &byte, 1, 0);
  return n == 0 || (n < 0 && errno == ECONNRESET);
}

void RawClient::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(fd_);
  fd_ = -1;
}

std::optional<RawAnswer> ask(const std::string& address, std::string_view request) {
  RawClient client(address);
  client.send(request);
  return client.receive();
}

}  // namespace millrace::test
