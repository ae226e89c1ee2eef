// Where stores push events to: an address of its own, and a secret that every message must bring.
// An event is a hint to look at one object; what was missed, the next listing finds.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/events/event_message.hpp"
#include "platform/base/result.hpp"
#include "platform/http/server.hpp"

namespace millrace {

struct EventCounts {  // messages, but for `looked_at`
  std::atomic<std::int64_t> accepted{0};
  std::atomic<std::int64_t> refused{0};     // without the right secret
  std::atomic<std::int64_t> unreadable{0};  // no event of a store
  std::atomic<std::int64_t> looked_at{0};   // objects that a folder was interested in
};

struct EventServerOptions {
  std::string listen;                              // "127.0.0.1:8652", port 0 for any free one
  std::string secret;                              // never empty
  std::filesystem::path certificate, private_key;  // PEM; empty: no TLS
  EventCounts& counts;                             // outlives the server
  // Called on the server's thread for each object; must not block. True if a folder is interested.
  std::function<bool(const PushedObject& object)> look;
};

// Answers POST on any path: 200; 403 without the secret, which is looked for in `?secret=`, in
// `Authorization: Bearer SECRET` and as the password of `Authorization: Basic` (what Ceph and SNS
// send for https://USER:SECRET@HOST/); 400 for what is no event. A message holds 1 MB at most
// (413).
class EventServer {
 public:
  // Configuration: the address or the certificate is wrong; Exists: somebody else listens there.
  static Result<std::unique_ptr<EventServer>> start(EventServerOptions options);
  ~EventServer();

  std::string address() const { return server_->address(); }

 private:
  explicit EventServer(EventServerOptions options);
  std::optional<ServerResponse> admit(const ServerRequest& request);
  ServerResponse take(const ServerRequest& request);
  bool knows_secret(const ServerRequest& request) const;

  const EventServerOptions options_;
  std::unique_ptr<HttpServer> server_;  // last: its thread uses all of the above
};

// The user and password of `Basic` (RFC 7617), decoded; empty for anything else.
std::string basic_password(std::string_view authorization);

}  // namespace millrace
