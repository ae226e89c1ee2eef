// Numbers out of the bytes of a file, whatever the file says of itself: nothing here reads beyond.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::render {

// Whether `count` bytes stand at `at`. No sum that could overflow.
inline bool holds(std::string_view bytes, std::uint64_t at, std::uint64_t count) {
  return at <= bytes.size() && count <= bytes.size() - at;
}

// 0 where there is no such byte.
inline std::uint8_t byte_at(std::string_view bytes, std::uint64_t at) {
  return at < bytes.size() ? static_cast<std::uint8_t>(bytes[at]) : std::uint8_t{0};
}

// Little-endian; bytes that are missing count as 0.
inline std::uint32_t u16_at(std::string_view bytes, std::uint64_t at) {
  return byte_at(bytes, at) | static_cast<std::uint32_t>(byte_at(bytes, at + 1)) << 8;
}
inline std::uint32_t u32_at(std::string_view bytes, std::uint64_t at) {
  return u16_at(bytes, at) | u16_at(bytes, at + 2) << 16;
}

// Big-endian, as in PNG.
inline std::uint32_t u32_be_at(std::string_view bytes, std::uint64_t at) {
  return static_cast<std::uint32_t>(byte_at(bytes, at)) << 24 |
         static_cast<std::uint32_t>(byte_at(bytes, at + 1)) << 16 |
         static_cast<std::uint32_t>(byte_at(bytes, at + 2)) << 8 | byte_at(bytes, at + 3);
}

}  // namespace millrace::render
