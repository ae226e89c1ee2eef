// The text of HTTP/1.1 messages, without any network (RFC 9110, RFC 9112).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"
#include "platform/http/server.hpp"

namespace millrace {

using TextPairs = std::vector<std::pair<std::string, std::string>>;

struct RequestTarget {
  std::string path;  // decoded
  TextPairs query;   // decoded, `+` is a blank
};

// Input for anything but the origin form, a bad escape, a control character, an escaped slash, a
// backslash, or a part that is `.` or `..`.
Result<RequestTarget> parse_target(std::string_view raw);

// Whether the fields of a head leave one reading of where the body ends (RFC 9112, 6.3) and name
// one host. `headers` has names in lower case.
Result<void> check_framing(const TextPairs& headers, bool http_1_1);

struct AnswerFrame {
  std::uint64_t length = 0;
  bool close = false;
};

// The status line and the fields up to the blank line. Fields that would break the frame (line
// ends in a value, a name that is no token, Content-Length, Connection) are left out.
std::string response_head(const ServerResponse& response, AnswerFrame frame, WallTime now);

std::string http_date(WallTime t);  // IMF-fixdate

struct HostPort {
  std::string host;  // numeric, without brackets
  std::uint16_t port = 0;
};
// "127.0.0.1:8650", "[::1]:0", "localhost:80". Configuration if it is none of these.
Result<HostPort> parse_host_port(std::string_view text);

}  // namespace millrace
