#include <algorithm>
#include <cstdio>

#include "platform/base/text.hpp"
#include "platform/http/server.hpp"

namespace millrace {
namespace {

std::string_view first_value(const std::vector<std::pair<std::string, std::string>>& pairs,
                             std::string_view name) {
  const auto at = std::find_if(pairs.begin(), pairs.end(),
                               [&](const auto& pair) { return pair.first == name; });
  return at == pairs.end() ? std::string_view{} : std::string_view{at->second};
}

}  // namespace

std::string_view ServerRequest::header(std::string_view name) const {
  return first_value(headers, name);
}

std::string_view ServerRequest::query_value(std::string_view name) const {
  return first_value(query, name);
}

std::string json_quote(std::string_view text) {
  const std::string safe = is_valid_utf8(text) ? std::string(text) : printable(text, text.size());
  std::string out = "\"";
  for (const char c : safe) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

ServerResponse error_response(int status, std::string_view code, std::string_view message) {
  ServerResponse response;
  response.status = status;
  response.body = "{\"error\":{\"code\":" + json_quote(code) +
                  ",\"message\":" + json_quote(printable(message)) + "}}\n";
  return response;
}

}  // namespace millrace
