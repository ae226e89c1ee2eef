#include "agent/transfer/idle_connections.hpp"

#include <algorithm>

#include "platform/base/socket.hpp"

namespace millrace {

void IdleConnections::add(const ConnectionEnds& ends, std::intptr_t socket) {
  // All Unix sockets of one path have the same ends. They carry no TLS, so that libcurl sees.
  if (ends.local_port == 0) return;
  const auto known = std::ranges::find(entries_, ends, &Entry::ends);
  if (known != entries_.end() && known->socket == socket) return;
  std::erase_if(entries_,
                [&](const Entry& entry) { return entry.socket == socket || entry.ends == ends; });
  entries_.push_back({ends, socket});
}

bool IdleConnections::ended(const ConnectionEnds& ends) const {
  const auto found = std::ranges::find(entries_, ends, &Entry::ends);
  return found != entries_.end() && !is_silent_socket(found->socket);
}

}  // namespace millrace
