#include "agent/s3/small_exchange.hpp"

#include <array>
#include <span>

namespace millrace {

Result<std::string> read_whole(HttpExchange& exchange, std::size_t most) {
  std::string body;
  std::array<std::byte, 16 * 1024> buffer;
  for (;;) {
    const auto got = exchange.read(buffer);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return body;
    if (*got > most - body.size())
      return fail(ErrorKind::Transient,
                  "an answer holds more than " + std::to_string(most) + " bytes");
    body.append(reinterpret_cast<const char*>(buffer.data()), *got);
  }
}

Result<SmallAnswer> small_exchange(HttpClient& http, HttpRequest request, std::string_view body,
                                   std::size_t most, std::stop_token stop) {
  request.body_length = body.size();
  auto exchange = http.start(std::move(request), std::move(stop));
  if (!exchange) return std::unexpected(exchange.error());
  if (!body.empty()) {
    if (auto sent = (*exchange)->send(std::as_bytes(std::span(body))); !sent)
      return std::unexpected(sent.error());
  }
  auto head = (*exchange)->head();
  if (!head) return std::unexpected(head.error());
  auto answer = read_whole(**exchange, most);
  if (!answer) return std::unexpected(answer.error());
  return SmallAnswer{std::move(*head), std::move(*answer)};
}

}  // namespace millrace
