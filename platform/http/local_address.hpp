// How a client reaches a server of the same user on the same machine (ServerOptions::unix_socket).
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace {

struct LocalAddress {
  std::string origin;       // what a URL begins with, without the last slash
  std::string unix_socket;  // path of the socket that leads there; empty: the origin alone does
  std::vector<std::pair<std::string, std::string>> headers;  // of every request
};

// Unreachable where no server has left its address (Windows only: a Unix socket is not looked at).
Result<LocalAddress> local_address(const std::filesystem::path& path);

}  // namespace millrace
