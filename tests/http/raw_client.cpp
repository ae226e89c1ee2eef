#include "tests/http/raw_client.hpp"

#include <array>
#include <stdexcept>

#include "platform/base/text.hpp"
#include "tests/http/raw_socket.hpp"

namespace millrace::test {

RawClient::RawClient(const std::string& address) : socket_(connect_socket(address)) {
  if (socket_ == kNoSocket) throw std::runtime_error("cannot connect to " + address);
}

RawClient::~RawClient() {
  if (socket_ != kNoSocket) close_socket(socket_, Close::InOrder);
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = send_some(socket_, bytes);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool RawClient::more() {
  std::array<char, 65536> buffer;
  const auto n = receive_some(socket_, buffer);
  if (n <= 0) return false;
  pending_.append(buffer.data(), static_cast<std::size_t>(n));
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
  std::array<char, 1> byte;
  const auto n = receive_some(socket_, byte);
  return n == 0 || n == kReset;
}

void RawClient::reset() {
  close_socket(socket_, Close::Reset);
  socket_ = kNoSocket;
}

std::optional<RawAnswer> ask(const std::string& address, std::string_view request) {
  RawClient client(address);
  client.send(request);
  return client.receive();
}

}  // namespace millrace::test
