// Who may ask what: looked at before a body is read.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/base/sha256.hpp"
#include "platform/http/server.hpp"

namespace millrace::serve {

struct GateRules {
  std::string token;           // empty: nobody is asked
  bool foreign_pages = false;  // whether a browser could be talked into asking: TCP without token
  int places = 1;              // requests that may upload, wait or be converted at a time
};

// Called on the HTTP server's thread; in_flight() from any.
class Gatekeeper {
 public:
  explicit Gatekeeper(GateRules rules);
  // 401, 403, 404, 405, 429, or nothing; a conversion that is let in holds its place as long as
  // the request lives. The gatekeeper outlives it.
  std::optional<ServerResponse> admit(ServerRequest& request);
  std::int64_t in_flight() const { return in_flight_.load(); }

 private:
  bool knows_token(std::string_view authorization) const;

  GateRules rules_;
  Digest token_;
  std::atomic<std::int64_t> in_flight_{0};  // given back by whoever lets go of a request
};

}  // namespace millrace::serve
