#include "platform/base/utf16.hpp"

#include <cstdint>

#include "platform/base/utf8.hpp"

namespace millrace {
namespace {

bool is_high(std::uint32_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low(std::uint32_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

void append(std::string& out, std::uint32_t point) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80 | ((point >> shift) & 0x3F));
  };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | (point >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | (point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

std::string from_utf16(std::u16string_view units) {
  std::string text;
  text.reserve(units.size());
  for (std::size_t i = 0; i < units.size(); ++i) {
    std::uint32_t point = units[i];
    if (is_high(point) && i + 1 < units.size() && is_low(units[i + 1])) {
      point = 0x10000 + ((point - 0xD800) << 10) + (units[++i] - 0xDC00U);
    }
    append(text, point);
  }
  return text;
}

std::optional<std::u16string> to_utf16(std::string_view text) {
  std::u16string units;
  units.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text, Surrogates::Allow);
    if (point.length == 0) return std::nullopt;
    text.remove_prefix(point.length);
    if (point.value >= 0x10000) {
      const std::uint32_t rest = point.value - 0x10000;
      units += static_cast<char16_t>(0xD800 + (rest >> 10));
      units += static_cast<char16_t>(0xDC00 + (rest & 0x3FF));
      continue;
    }
    // Both halves one after the other are four bytes, never two times three. (The last unit of a
    // pair is a low one, so a high one that ends `units` stood alone.)
    if (is_low(point.value) && !units.empty() && is_high(units.back())) return std::nullopt;
    units += static_cast<char16_t>(point.value);
  }
  return units;
}

}  // namespace millrace
