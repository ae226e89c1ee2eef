// Sockets that a third-party library uses.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace {

// socket(2) with close-on-exec set in the same call, so that no child started at that moment by
// another thread can inherit it. -1 where the system refuses. Any thread; never blocks.
std::intptr_t open_cloexec_socket(int domain, int type, int protocol);

// Has nothing arrived on a connected socket: no byte, no end of the stream, no error? One system
// call. Any thread; never blocks.
bool is_silent_socket(std::intptr_t socket);

// How long a wait for sockets may last before they are looked at again. Windows tells that a socket
// can be written to only after a write was refused (WSAEventSelect, FD_WRITE); under Wine libcurl's
// wait has been seen to miss it, and uploads over TLS stood still. Elsewhere there is no limit.
std::chrono::milliseconds longest_socket_wait();

// The 4 or 16 bytes of the address in a `struct sockaddr`, within it; empty for other families.
std::span<const std::byte> bytes_of_address(const void* sockaddr);

}  // namespace millrace
