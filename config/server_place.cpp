#include "config/server_place.hpp"

#include "platform/base/text.hpp"

namespace millrace {

std::optional<std::string> parse_server_place(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == 0 || colon == text.npos || text.find_first_of("/@ ") != text.npos)
    return std::nullopt;
  const std::string_view port = text.substr(colon + 1);
  if (port.empty() || port.find_first_not_of("0123456789") != port.npos) return std::nullopt;
  return to_lower_ascii(text);
}

}  // namespace millrace
