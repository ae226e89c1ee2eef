// One whole exchange as a test asks for it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "agent/transfer/curl_http.hpp"
#include "tests/support/catch.hpp"

namespace millrace::test {

// One that a slow server cannot hurry.
inline CurlOptions patient() {
  CurlOptions options;
  options.wait_for_continue = std::chrono::minutes{1};
  return options;
}

inline std::unique_ptr<HttpClient> client(CurlOptions options = {}) {
  auto http = start_curl_http(std::move(options));
  REQUIRE(http);
  return std::move(*http);
}

inline HttpRequest post_to(std::string url, std::uint64_t body_length) {
  HttpRequest request;
  request.url = std::move(url);
  request.body_length = body_length;
  request.headers = {{"Idempotency-Key", "k1"}};
  return request;
}

struct Outcome {
  std::optional<HttpHead> head;
  std::string body;
  std::optional<Error> error;  // the first one
  Keep keep = Keep::Going;
  HttpExchange::Progress progress;
  int status() const { return head ? head->status : 0; }
  ErrorKind kind() const { return error ? error->kind : ErrorKind::Defect; }
};

// Sends `body_length` bytes in pieces, takes the head and reads to the end or to an error.
inline Outcome run(HttpExchange& exchange, std::uint64_t body_length) {
  Outcome out;
  const auto ended = [&](const auto& result) {
    if (!result) out.error = result.error();
    out.progress = exchange.progress();
    return !result;
  };
  const std::string piece(64 * 1024, 'b');
  for (std::uint64_t left = body_length; left > 0 && out.keep == Keep::Going;) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
    const auto sent = exchange.send(std::as_bytes(std::span{piece.data(), n}));
    if (ended(sent)) return out;
    out.keep = *sent;
    left -= n;
  }
  auto head = exchange.head();
  if (ended(head)) return out;
  out.head = std::move(*head);
  std::byte into[16384];
  for (;;) {
    const auto n = exchange.read(into);
    if (ended(n) || *n == 0) return out;
    if (out.body.size() < (1 << 20)) out.body.append(reinterpret_cast<const char*>(into), *n);
  }
}

inline Outcome run(HttpClient& http, HttpRequest request, std::stop_token stop = {}) {
  const std::uint64_t length = request.body_length;
  auto exchange = http.start(std::move(request), std::move(stop));
  if (exchange) return run(**exchange, length);
  Outcome out;
  out.error = exchange.error();
  return out;
}

inline std::chrono::milliseconds since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               start);
}

}  // namespace millrace::test
