// Which URLs may be asked at all.
#pragma once

#include <string>

#include "agent/transfer/http_client.hpp"
#include "platform/base/result.hpp"

namespace millrace {

struct Target {
  std::string host;    // for messages: "api.example:443", or the path of a Unix socket
  bool plain = false;  // http
};

// https is always allowed; http only to 127.0.0.0/8, ::1, localhost or a Unix socket, and to where
// the request's `plain_http` allows it. A URL that holds a user name or a password is refused,
// since both would reach logs. Configuration otherwise; the message never repeats the URL beyond
// its host.
Result<Target> check_target(const HttpRequest& request);

}  // namespace millrace
