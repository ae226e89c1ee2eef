#include "platform/watch/fs_event_position.hpp"

#include <charconv>

namespace millrace {
namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

// The bytes before which a uuid has a hyphen (RFC 9562, section 4).
bool hyphen_before(std::size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

std::string uuid_text(const std::array<std::uint8_t, 16>& uuid) {
  std::string text;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (hyphen_before(i)) text += '-';
    text += kHexDigits[uuid[i] >> 4];
    text += kHexDigits[uuid[i] & 0xf];
  }
  return text;
}

}  // namespace

std::string position_text(const FsEventPosition& position) {
  if (position.id == 0) return {};
  return uuid_text(position.history) + ":" + std::to_string(position.id);
}

std::optional<FsEventPosition> parse_position(std::string_view text) {
  FsEventPosition position;
  std::size_t at = 0;
  for (std::size_t i = 0; i < position.history.size(); ++i) {
    if (hyphen_before(i)) ++at;
    for (int half = 0; half < 2; ++half, ++at) {
      const auto digit = at < text.size() ? kHexDigits.find(text[at]) : kHexDigits.npos;
      if (digit == kHexDigits.npos) return std::nullopt;
      position.history[i] = static_cast<std::uint8_t>(position.history[i] << 4 | digit);
    }
  }
  const auto number = text.substr(at);
  if (number.size() < 2) return std::nullopt;
  const char* const end = number.data() + number.size();
  const auto read = std::from_chars(number.data() + 1, end, position.id);
  // What was passed over (hyphens, the colon, zeros in front) shows in writing it anew.
  if (read.ec != std::errc() || read.ptr != end || position_text(position) != text)
    return std::nullopt;
  return position;
}

std::optional<std::uint64_t> begins_after(std::string_view kept, const FsEventPosition& now) {
  const auto position = parse_position(kept);
  if (!position || position->history != now.history || position->id > now.id) return std::nullopt;
  return position->id;
}

}  // namespace millrace
