#include "agent/download/binary_plist.hpp"

#include <cstdint>

#include "platform/base/utf16.hpp"

namespace millrace {
namespace {

constexpr std::size_t kTrailer = 32;
// High halves of an object's first byte; the low half is its length, or 15: an integer follows.
constexpr std::uint64_t kInteger = 0x1, kAscii = 0x5, kUtf16 = 0x6, kDictionary = 0xD;

// Where the elements of an object begin, and how many there are.
struct Extent {
  std::uint64_t kind = 0;
  std::uint64_t count = 0;
  std::uint64_t at = 0;
};

class PlistReader {
 public:
  explicit PlistReader(std::string_view bytes) : bytes_(bytes) {}

  std::optional<std::string> find(std::string_view key) {
    if (!read_trailer()) return std::nullopt;
    const auto dictionary = object(top_);
    if (!dictionary || dictionary->kind != kDictionary) return std::nullopt;
    // Keys first, then the values in the same order.
    const std::uint64_t count = dictionary->count;
    if (count > bytes_.size()) return std::nullopt;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto name = number(dictionary->at + i * reference_size_, reference_size_);
      if (!name) return std::nullopt;
      if (text(*name) != key) continue;
      const auto value = number(dictionary->at + (count + i) * reference_size_, reference_size_);
      return value ? text(*value) : std::nullopt;
    }
    return std::nullopt;
  }

 private:
  bool read_trailer() {
    if (!bytes_.starts_with(kBinaryPlistMark) || bytes_.size() < kTrailer) return false;
    const std::uint64_t trailer = bytes_.size() - kTrailer;
    offset_size_ = number(trailer + 6, 1).value_or(0);
    reference_size_ = number(trailer + 7, 1).value_or(0);
    count_ = number(trailer + 8, 8).value_or(0);
    top_ = number(trailer + 16, 8).value_or(0);
    table_ = number(trailer + 24, 8).value_or(0);
    const auto is_width = [](std::uint64_t size) { return size >= 1 && size <= 8; };
    return is_width(offset_size_) && is_width(reference_size_) && count_ <= bytes_.size() &&
           table_ <= bytes_.size();
  }

  // Big-endian; nothing if it is not wholly there.
  std::optional<std::uint64_t> number(std::uint64_t at, std::uint64_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : bytes_.substr(at, size)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }

  std::optional<Extent> object(std::uint64_t reference) const {
    if (reference >= count_) return std::nullopt;
    const auto at = number(table_ + reference * offset_size_, offset_size_);
    const auto marker = at ? number(*at, 1) : std::nullopt;
    if (!marker) return std::nullopt;
    Extent extent{*marker >> 4, *marker & 0xF, *at + 1};
    if (extent.count != 0xF) return extent;
    const auto size = number(extent.at, 1);
    if (!size || *size >> 4 != kInteger || (*size & 0xF) > 3) return std::nullopt;
    const std::uint64_t width = std::uint64_t{1} << (*size & 0xF);
    const auto count = number(extent.at + 1, width);
    if (!count) return std::nullopt;
    return Extent{extent.kind, *count, extent.at + 1 + width};
  }

  std::optional<std::string> text(std::uint64_t reference) const {
    const auto extent = object(reference);
    if (!extent || extent->at > bytes_.size()) return std::nullopt;
    const std::string_view rest = bytes_.substr(extent->at);
    if (extent->kind == kAscii && extent->count <= rest.size())
      return std::string(rest.substr(0, extent->count));
    if (extent->kind != kUtf16 || extent->count > rest.size() / 2) return std::nullopt;
    std::u16string units;
    for (std::uint64_t i = 0; i < extent->count; ++i)
      units.push_back(static_cast<char16_t>(number(extent->at + 2 * i, 2).value_or(0)));
    return from_utf16(units);
  }

  const std::string_view bytes_;
  std::uint64_t offset_size_ = 0, reference_size_ = 0, count_ = 0, top_ = 0, table_ = 0;
};

}  // namespace

std::optional<std::string> text_in_binary_plist(std::string_view bytes, std::string_view key) {
  return PlistReader(bytes).find(key);
}

}  // namespace millrace
