#include "platform/base/utf8.hpp"

#include <array>

namespace millrace {

CodePoint decode_utf8(std::string_view bytes, Surrogates surrogates) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 0 || lead > 0xF4 || bytes.size() < length) return {};
  std::uint32_t value = lead & (0xFFU >> (length + 1));
  for (const char c : bytes.substr(1, length - 1)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) return {};
    value = value << 6 | (byte & 0x3FU);
  }
  static constexpr std::array<std::uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  if (value < kSmallest[length] || value > 0x10FFFF) return {};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (surrogate && surrogates == Surrogates::Refuse) return {};
  return {value, length};
}

}  // namespace millrace
