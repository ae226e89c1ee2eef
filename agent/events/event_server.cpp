#include "agent/events/event_server.hpp"

#include <optional>

#include "agent/report/log.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::uint64_t kLargestMessage = 1'000'000;
constexpr int kMostConnections = 32;
constexpr std::chrono::milliseconds kStopPatience{200};

// Digests are compared to their end, so that the time tells nothing about the secret.
bool equal_in_constant_time(const Digest& a, const Digest& b) {
  std::byte difference{0};
  for (std::size_t i = 0; i < a.size(); ++i) difference |= a[i] ^ b[i];
  return difference == std::byte{0};
}

// What follows `scheme` and a space; empty if it is another scheme.
std::string_view credentials_of(std::string_view authorization, std::string_view scheme) {
  const std::size_t blank = authorization.find(' ');
  if (blank == std::string_view::npos) return {};
  if (to_lower_ascii(authorization.substr(0, blank)) != scheme) return {};
  return authorization.substr(blank + 1);
}

std::string base64_decoded(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string plain;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) break;  // the `=` at the end
    bits = (bits << 6 | static_cast<std::uint32_t>(digit)) & 0xFFFF;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    plain += static_cast<char>(bits >> count & 0xFF);
  }
  return plain;
}

}  // namespace

std::string basic_password(std::string_view authorization) {
  const std::string both = base64_decoded(credentials_of(authorization, "basic"));
  const std::size_t colon = both.find(':');
  return colon == std::string::npos ? std::string() : both.substr(colon + 1);
}

EventServer::EventServer(EventServerOptions options) : options_(std::move(options)) {}

EventServer::~EventServer() {
  if (server_) server_->stop(kStopPatience);
}

Result<std::unique_ptr<EventServer>> EventServer::start(EventServerOptions options) {
  std::unique_ptr<EventServer> events(new EventServer(std::move(options)));
  ServerOptions http;
  http.address = events->options_.listen;
  http.certificate = events->options_.certificate;
  http.private_key = events->options_.private_key;
  http.max_body = kLargestMessage;
  http.spool_above = kLargestMessage;
  http.max_connections = kMostConnections;
  http.admit = [self = events.get()](ServerRequest& request) { return self->admit(request); };
  auto server = start_http_server(
      std::move(http),
      [self = events.get()](const std::shared_ptr<ServerRequest>& request, const Respond& respond) {
        respond(self->take(*request));
      });
  if (!server) return std::unexpected(server.error());
  events->server_ = std::move(*server);
  return events;
}

bool EventServer::knows_secret(const ServerRequest& request) const {
  const Digest secret = sha256(options_.secret);
  const std::string_view authorization = request.header("authorization");
  bool known = equal_in_constant_time(sha256(request.query_value("secret")), secret);
  known |= equal_in_constant_time(sha256(credentials_of(authorization, "bearer")), secret);
  known |= equal_in_constant_time(sha256(basic_password(authorization)), secret);
  return known;
}

// Before the body is read.
std::optional<ServerResponse> EventServer::admit(const ServerRequest& request) {
  if (!knows_secret(request)) {
    ++options_.counts.refused;
    return error_response(403, "forbidden", "the secret of [events] is needed");
  }
  if (request.method != "POST") return error_response(405, "method", "events come by POST");
  return std::nullopt;
}

ServerResponse EventServer::take(const ServerRequest& request) {
  const auto message = read_pushed_message(request.body);
  if (!message) {
    ++options_.counts.unreadable;
    return error_response(400, "no_event", message.error().message);
  }
  ++options_.counts.accepted;
  if (!message->confirm_at.empty()) {
    log(Level::Warning, "a topic asks whether it may send events; open its address to agree",
        {{"address", printable(message->confirm_at)}});
  }
  for (const PushedObject& object : message->objects)
    if (options_.look(object)) ++options_.counts.looked_at;
  ServerResponse response;
  response.body = "{}";
  return response;
}

}  // namespace millrace
