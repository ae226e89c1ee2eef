// Tells whether the peer ended an idle connection before a request goes into it. libcurl does that
// itself from 8.0 on; before, it takes one whose end was announced (TLS close_notify) for alive.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace millrace {

// What libcurl tells of a connection before a request goes out on it. No two open TCP connections
// have the same.
struct ConnectionEnds {
  std::string local_address, peer_address;
  int local_port = 0, peer_port = 0;  // 0 for a Unix socket
  bool operator==(const ConnectionEnds&) const = default;
};

// The sockets of connections that became idle, which libcurl tells only then. An entry may outlive
// its connection: the next one with its ends or its socket takes its place. Single-threaded.
class IdleConnections {
 public:
  void add(const ConnectionEnds& ends, std::intptr_t socket);
  // Has anything arrived on it? On an idle HTTP/1.1 connection that is its end, or an answer that
  // nobody asked for: it is of no use any more. One system call; false if it was never added.
  bool ended(const ConnectionEnds& ends) const;

 private:
  struct Entry {
    ConnectionEnds ends;
    std::intptr_t socket;
  };
  std::vector<Entry> entries_;
};

}  // namespace millrace
