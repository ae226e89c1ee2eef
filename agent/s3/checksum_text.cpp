#include "agent/s3/checksum_text.hpp"

#include <array>
#include <charconv>
#include <cstdint>

namespace millrace {

std::string checksum_text(std::string_view hex) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  while (!hex.empty()) {
    std::array<unsigned char, 3> bytes{};
    std::size_t count = 0;
    for (; count < bytes.size() && hex.size() >= 2; ++count) {
      std::from_chars(hex.data(), hex.data() + 2, bytes[count], 16);
      hex.remove_prefix(2);
    }
    if (count == 0) break;
    const std::uint32_t group = static_cast<std::uint32_t>(bytes[0]) << 16 |
                                static_cast<std::uint32_t>(bytes[1]) << 8 | bytes[2];
    for (std::size_t i = 0; i < 4; ++i)
      text += i <= count ? kDigits[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

}  // namespace millrace
