#include "agent/watch/end_mark_offsets.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace millrace {
namespace {

constexpr int kMostDirectories = 1000;
constexpr int kMostBoxes = 10'000;
constexpr int kMostSegments = 4096;
constexpr std::uint64_t kJpegTail = 2048;
constexpr std::uint64_t kMostEntries = 4096;
constexpr std::uint64_t kMostOffsets = 8192;  // of one list of strips or tiles

enum class Endian { Little, Big };

std::uint64_t number(std::span<const std::byte> bytes, Endian endian) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t at = endian == Endian::Big ? i : bytes.size() - 1 - i;
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[at]);
  }
  return value;
}

// The directories of one TIFF. Numbers are 2, 4 or 8 bytes wide; BigTIFF widens counts and offsets.
class Tiff {
 public:
  Tiff(std::uint64_t size, const ReadAt& read) : size_(size), read_(read) {}

  Result<bool> is_whole() {
    std::array<std::byte, 16> head{};
    if (auto got = read_fully(read_, 0, head); !got) return std::unexpected(got.error());
    endian_ = head[0] == std::byte{'M'} ? Endian::Big : Endian::Little;
    big_ = number(std::span(head).subspan(2, 2), endian_) == 43;
    auto at = big_ ? number(std::span(head).subspan(8, 8), endian_)
                   : number(std::span(head).subspan(4, 4), endian_);
    if (at == 0) return false;  // written first, filled in at the end
    for (int i = 0; at != 0 && i < kMostDirectories; ++i) {
      auto next = directory(at);
      if (!next) return std::unexpected(next.error());
      if (!*next) return false;
      at = **next;
    }
    return true;
  }

 private:
  struct List {
    std::uint64_t count = 0;
    std::uint64_t width = 0;
    std::vector<std::byte> bytes;
  };

  // Where the next directory lies; nothing inside if something lies outside of the file.
  Result<std::optional<std::uint64_t>> directory(std::uint64_t at) {
    const std::uint64_t head = big_ ? 8 : 2;
    const std::uint64_t entry = big_ ? 20 : 12;
    const std::uint64_t link = big_ ? 8 : 4;
    auto counted = bytes(at, head);
    if (!counted) return std::unexpected(counted.error());
    if (counted->size() < head) return std::nullopt;
    const std::uint64_t count = std::min(number(*counted, endian_), kMostEntries);
    auto all = bytes(at + head, count * entry + link);
    if (!all) return std::unexpected(all.error());
    if (all->size() < count * entry + link) return std::nullopt;
    List offsets;
    List lengths;
    for (std::uint64_t i = 0; i < count; ++i) {
      auto inside = value(std::span(*all).subspan(i * entry, entry), offsets, lengths);
      if (!inside) return std::unexpected(inside.error());
      if (!*inside) return std::nullopt;
    }
    if (!data_is_inside(offsets, lengths)) return std::nullopt;
    return number(std::span(*all).subspan(count * entry, link), endian_);
  }

  // False if the value of one entry lies outside; keeps the lists of strips and tiles.
  Result<bool> value(std::span<const std::byte> entry, List& offsets, List& lengths) {
    static constexpr std::array<std::uint64_t, 19> kWidths{0, 1, 1, 2, 4, 8, 1, 1, 2, 4,
                                                           8, 4, 8, 4, 0, 0, 8, 8, 8};
    const std::uint64_t tag = number(entry.subspan(0, 2), endian_);
    const std::uint64_t type = number(entry.subspan(2, 2), endian_);
    const std::uint64_t width = type < kWidths.size() ? kWidths[type] : 1;
    const std::uint64_t count = number(entry.subspan(4, big_ ? 8 : 4), endian_);
    const auto field = entry.subspan(big_ ? 12 : 8);
    if (width == 0) return true;
    if (count > size_) return false;
    const bool is_offsets = tag == 273 || tag == 324;
    const bool is_lengths = tag == 279 || tag == 325;
    List list{std::min(count, kMostOffsets), width, {}};
    if (count * width <= field.size()) {
      list.bytes.assign(field.begin(),
                        field.begin() + static_cast<std::ptrdiff_t>(list.count * width));
    } else {
      const std::uint64_t at = number(field, endian_);
      if (at > size_ || count * width > size_ - at) return false;
      if (!is_offsets && !is_lengths) return true;
      auto got = bytes(at, list.count * width);
      if (!got) return std::unexpected(got.error());
      list.bytes = std::move(*got);
      if (list.bytes.size() < list.count * width) return false;
    }
    if (is_offsets)
      offsets = std::move(list);
    else if (is_lengths)
      lengths = std::move(list);
    return true;
  }

  bool data_is_inside(const List& offsets, const List& lengths) const {
    const std::uint64_t count = std::min(offsets.count, lengths.count);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t at = element(offsets, i);
      if (at > size_ || element(lengths, i) > size_ - at) return false;
    }
    return true;
  }

  std::uint64_t element(const List& list, std::uint64_t i) const {
    return number(std::span(list.bytes).subspan(i * list.width, list.width), endian_);
  }

  Result<std::vector<std::byte>> bytes(std::uint64_t at, std::uint64_t count) {
    std::vector<std::byte> found(at >= size_ ? 0 : std::min(count, size_ - at));
    if (found.empty()) return found;
    auto got = read_fully(read_, at, found);
    if (!got) return std::unexpected(got.error());
    found.resize(*got);
    return found;
  }

  const std::uint64_t size_;
  const ReadAt& read_;
  Endian endian_ = Endian::Little;
  bool big_ = false;
};

}  // namespace

Result<bool> tiff_is_whole(std::uint64_t size, const ReadAt& read) {
  return Tiff(size, read).is_whole();
}

Result<bool> jpeg_is_whole(std::uint64_t size, const ReadAt& read) {
  constexpr unsigned kEnd = 0xD9, kScan = 0xDA;
  std::uint64_t at = 2;
  for (int i = 0; i < kMostSegments; ++i) {
    std::array<std::byte, 4> head{};
    auto got = read_fully(read, at, head);
    if (!got) return std::unexpected(got.error());
    if (*got < 2) return false;
    const auto marker = std::to_integer<unsigned>(head[1]);
    if (head[0] != std::byte{0xFF}) break;  // not as the standard has it: the end decides
    if (marker == kEnd) return true;
    if (*got < 4) return false;
    at += 2 + number(std::span(head).subspan(2), Endian::Big);
    if (at >= size) return false;
    if (marker == kScan) break;
  }
  // FFD9 stands nowhere in compressed picture data; cameras append trailers of their own behind it.
  const std::uint64_t from = std::max(at, size - std::min(size, kJpegTail));
  std::string tail(size - from, '\0');
  auto got = read_fully(read, from, std::as_writable_bytes(std::span(tail)));
  if (!got) return std::unexpected(got.error());
  return tail.rfind("\xFF\xD9") != tail.npos;
}

Result<bool> mp4_is_whole(std::uint64_t size, const ReadAt& read) {
  bool has_index = false;
  std::uint64_t at = 0;
  for (int i = 0; i < kMostBoxes && at < size; ++i) {
    std::array<std::byte, 16> head{};
    auto got = read_fully(read, at, head);
    if (!got) return std::unexpected(got.error());
    if (*got < 8) return false;
    const std::string_view type(reinterpret_cast<const char*>(head.data()) + 4, 4);
    has_index = has_index || type == "moov" || type == "moof" || type == "meta";
    std::uint64_t length = number(std::span(head).first(4), Endian::Big);
    if (length == 0) return has_index;  // reaches to the end, wherever that is
    if (length == 1) length = *got < 16 ? 0 : number(std::span(head).subspan(8), Endian::Big);
    if (length < 8 || length > size - at) return false;
    at += length;
  }
  return has_index;
}

Result<std::size_t> read_fully(const ReadAt& read, std::uint64_t offset,
                               std::span<std::byte> into) {
  std::size_t filled = 0;
  while (filled < into.size()) {
    auto got = read(offset + filled, into.subspan(filled));
    if (!got) return got;
    if (*got == 0) break;
    filled += *got;
  }
  return filled;
}

}  // namespace millrace
