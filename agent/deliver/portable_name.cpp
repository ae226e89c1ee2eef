#include "agent/deliver/portable_name.hpp"

#include <algorithm>
#include <array>

#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

constexpr std::string_view kForbidden = "<>:\"/\\|?*";  // somewhere; all of them on Windows
constexpr std::string_view kReservedPrefix = ".millrace-";
constexpr std::string_view kEmptyPart = "%25";  // no other part is escaped to this
constexpr std::size_t kHashDigits = 16;
constexpr std::size_t kMaxKeptExtension = 16;

// https://learn.microsoft.com/windows/win32/fileio/naming-a-file
constexpr std::array<std::string_view, 6> kDevices = {"con", "prn",    "aux",
                                                      "nul", "conin$", "conout$"};
constexpr std::array<std::string_view, 2> kNumberedDevices = {"com", "lpt"};
constexpr std::array<std::string_view, 3> kSuperscripts = {"\u00b9", "\u00b2", "\u00b3"};

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

bool is_escape_at(std::string_view text, std::size_t i) {
  return text[i] == '%' && i + 2 < text.size() && is_hex_digit(text[i + 1]) &&
         is_hex_digit(text[i + 2]);
}

void append_escape(std::string& to, char byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto value = static_cast<unsigned char>(byte);
  to += '%';
  to += kDigits[value >> 4];
  to += kDigits[value & 15];
}

// Bytes of the valid UTF-8 character that begins at `i`; 0 if none does.
std::size_t character_at(std::string_view text, std::size_t i) {
  for (std::size_t length = 1; length <= 4 && i + length <= text.size(); ++length)
    if (is_valid_utf8(text.substr(i, length))) return length;
  return 0;
}

bool is_device(std::string_view part) {
  auto base = to_lower_ascii(part.substr(0, part.find('.')));
  while (base.ends_with(' ')) base.pop_back();
  if (std::ranges::find(kDevices, base) != kDevices.end()) return true;
  if (base.size() < 4) return false;
  const auto number = std::string_view(base).substr(3);
  const bool numbered = (number.size() == 1 && number[0] >= '0' && number[0] <= '9') ||
                        std::ranges::find(kSuperscripts, number) != kSuperscripts.end();
  return numbered &&
         std::ranges::find(kNumberedDevices, base.substr(0, 3)) != kNumberedDevices.end();
}

// Escaped although every single character is allowed: the whole means something somewhere.
bool has_reserved_start(std::string_view part) {
  return is_device(part) || to_lower_ascii(part).starts_with(kReservedPrefix);
}

bool must_escape(std::string_view bytes, std::size_t i) {
  const char c = bytes[i];
  const bool is_last = i + 1 == bytes.size();
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f ||
         kForbidden.find(c) != std::string_view::npos || is_escape_at(bytes, i) ||
         (is_last && (c == '.' || c == ' ')) || (i == 0 && has_reserved_start(bytes));
}

std::string short_hash(std::string_view of) { return to_hex(sha256(of)).substr(0, kHashDigits); }

// The longest start of `part` that holds at most `limit` bytes, no cut character and no cut escape.
std::string_view whole_start(std::string_view part, std::size_t limit) {
  std::size_t end = 0;
  while (end < part.size()) {
    const std::size_t step =
        is_escape_at(part, end) ? 3 : std::max<std::size_t>(character_at(part, end), 1);
    if (end + step > limit) break;
    end += step;
  }
  return part.substr(0, end);
}

}  // namespace

std::string escape_part(std::string_view bytes) {
  if (bytes.empty()) return std::string(kEmptyPart);
  std::string part;
  part.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t length = character_at(bytes, i);
    if (length > 1) {
      part.append(bytes.substr(i, length));
      i += length;
      continue;
    }
    if (length == 0 || must_escape(bytes, i))
      append_escape(part, bytes[i]);
    else
      part += bytes[i];
    ++i;
  }
  return part;
}

std::string unescape_part(std::string_view part) {
  if (part == kEmptyPart) return {};
  std::string bytes;
  for (std::size_t i = 0; i < part.size();) {
    if (!is_escape_at(part, i)) {
      bytes += part[i++];
      continue;
    }
    bytes += static_cast<char>(std::stoi(std::string(part.substr(i + 1, 2)), nullptr, 16));
    i += 3;
  }
  return bytes;
}

std::string shorten_part(std::string part) {
  if (part.size() <= kMaxPart) return part;
  const auto dot = part.rfind('.');
  std::string extension;
  if (dot != std::string::npos && part.size() - dot <= kMaxKeptExtension)
    extension = part.substr(dot);
  const std::string tail = "~" + short_hash(part) + extension;
  return std::string(whole_start(part, kMaxPart - tail.size())) + tail;
}

Name bounded_name(std::string_view name) {
  const auto parts = split_name(name);
  Name whole;
  for (const std::string_view part : parts)
    whole = join_name(whole, shorten_part(std::string(part)));
  if (whole.size() <= kMaxOutputName && parts.size() <= kMaxNameDepth) return whole;
  return join_name("~" + short_hash(parent_of(name)), leaf_of(whole));
}

Name portable_name(std::string_view name) {
  Name escaped;
  for (const std::string_view part : split_name(name))
    escaped = join_name(escaped, escape_part(part));
  return bounded_name(escaped);
}

}  // namespace millrace
