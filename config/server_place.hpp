// HOST:PORT, as people name a server.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace {

// In lower case, as places are compared: "Files.LAN:443" -> "files.lan:443". Nothing if it is no
// HOST:PORT.
std::optional<std::string> parse_server_place(std::string_view text);

}  // namespace millrace
