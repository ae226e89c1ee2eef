// Blocking sockets, 20 s for every call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace millrace::test {

inline constexpr std::intptr_t kNoSocket = -1;
inline constexpr std::ptrdiff_t kReset = -2;  // the other side has closed without order

std::intptr_t connect_socket(const std::string& address);  // kNoSocket if nobody answers
std::ptrdiff_t send_some(std::intptr_t socket, std::string_view bytes);
std::ptrdiff_t receive_some(std::intptr_t socket, std::span<char> into);  // 0 at the end
enum class Close { InOrder, Reset };
void close_socket(std::intptr_t socket, Close how);

}  // namespace millrace::test
