#include "agent/serve/gatekeeper.hpp"

#include <array>

#include "platform/base/text.hpp"

namespace millrace::serve {
namespace {

enum class Access { Open, Token };
struct RouteRow {
  std::string_view path;
  std::string_view method;
  Access access;
};
constexpr std::array<RouteRow, 4> kRoutes = {{
    {"/v1/convert", "POST", Access::Token},
    {"/v1/formats", "GET", Access::Token},
    {"/healthz", "GET", Access::Open},
    {"/metrics", "GET", Access::Token},
}};

// Every byte is looked at whatever the others are, so that the time tells nothing about where two
// digests differ.
bool equal_in_constant_time(const Digest& a, const Digest& b) {
  std::byte difference{0};
  for (std::size_t i = 0; i < a.size(); ++i) difference |= a[i] ^ b[i];
  return difference == std::byte{0};
}

bool is_loopback_name(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && !host.ends_with(']')) host = host.substr(0, colon);
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

}  // namespace

Gatekeeper::Gatekeeper(GateRules rules) : rules_(std::move(rules)), token_(sha256(rules_.token)) {}

bool Gatekeeper::knows_token(std::string_view authorization) const {
  const std::size_t blank = authorization.find(' ');
  if (blank == std::string_view::npos) return false;
  if (to_lower_ascii(authorization.substr(0, blank)) != "bearer") return false;
  return equal_in_constant_time(sha256(authorization.substr(blank + 1)), token_);
}

std::optional<ServerResponse> Gatekeeper::admit(ServerRequest& request) {
  // A page of a stranger, or a name that was made to lead here, must not reach an API that asks
  // nobody for a token.
  if (rules_.foreign_pages &&
      (!is_loopback_name(request.header("host")) || !request.header("origin").empty()))
    return error_response(403, "forbidden", "not from a page, and only by the name localhost");
  const RouteRow* route = nullptr;
  for (const RouteRow& row : kRoutes)
    if (row.path == request.path) route = &row;
  if (route == nullptr) return error_response(404, "not_found", "there is no such path");
  if (!rules_.token.empty() && route->access == Access::Token &&
      !knows_token(request.header("authorization"))) {
    auto answer = error_response(401, "unauthorized", "a bearer token is needed");
    answer.headers.emplace_back("WWW-Authenticate", "Bearer");
    return answer;
  }
  if (request.method != route->method && !(request.method == "HEAD" && route->method == "GET")) {
    auto answer = error_response(405, "method_not_allowed", "this path has another method");
    answer.headers.emplace_back("Allow", std::string(route->method));
    return answer;
  }
  if (route->method != "POST") return std::nullopt;
  if (in_flight_.fetch_add(1) >= rules_.places) {
    in_flight_.fetch_sub(1);
    auto answer = error_response(429, "rate_limited", "the queue is full");
    answer.headers.emplace_back("Retry-After", "1");
    return answer;
  }
  request.held = std::shared_ptr<void>(this, [](Gatekeeper* self) { --self->in_flight_; });
  return std::nullopt;
}

}  // namespace millrace::serve
