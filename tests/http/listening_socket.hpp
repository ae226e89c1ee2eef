// Servers that misbehave on purpose: sockets on loopback, beneath raw_socket.hpp. What fails
// throws.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/http/raw_socket.hpp"

namespace millrace::test {

std::intptr_t listen_on_loopback(int backlog, int& port);
// Waits without a deadline; kNoSocket once stop_listening() was called, or a connection that is
// nobody's.
std::intptr_t accept_on(std::intptr_t listener);
void stop_listening(std::intptr_t listener);  // any thread

// Whether there is something to read, the end of the stream included.
bool wait_for_input(std::intptr_t socket, std::chrono::milliseconds at_most);
void end_sending(std::intptr_t socket);    // the peer sees the end of the stream
void end_all_waits(std::intptr_t socket);  // any thread: both directions are over
// The peer sees a reset now. What it gives is the socket from then on, kNoSocket where that is
// closed.
std::intptr_t reset_now(std::intptr_t socket);

std::intptr_t begin_to_connect(int port);  // returns at once, connected or not

struct Ports {
  unsigned own = 0, peer = 0;
};
Ports ports_of(std::intptr_t socket);

// The 4 or 16 bytes of an address in its usual form.
std::vector<std::byte> address_bytes(const std::string& text);

}  // namespace millrace::test
