// Bitmaps made by hand, of every kind, and what a decoder must give for them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::test {

inline std::string le16(std::uint32_t value) {
  return {static_cast<char>(value & 255), static_cast<char>(value >> 8 & 255)};
}
inline std::string le32(std::uint32_t value) { return le16(value) + le16(value >> 16); }

// Red, green, blue; white, black, red.
constexpr int kWidth = 3;
constexpr int kHeight = 2;
constexpr std::array<std::uint32_t, 6> kPicture{0, 1, 2, 3, 4, 0};  // places in the palette
constexpr std::array<std::uint32_t, 5> kColours{0xff0000, 0x00ff00, 0x0000ff, 0xffffff, 0x000000};
constexpr std::string_view kRgb{
    "\xff\x00\x00\x00\xff\x00\x00\x00\xff"
    "\xff\xff\xff\x00\x00\x00\xff\x00\x00",
    18};

// The picture, or its places, with `value` of each place in `depth` bits.
inline std::string packed_rows(unsigned depth, bool top_down,
                               const std::function<std::uint32_t(std::uint32_t)>& value) {
  std::string bytes;
  for (int i = 0; i < kHeight; ++i) {
    const int y = top_down ? i : kHeight - 1 - i;
    std::string row((kWidth * depth + 31) / 32 * 4, '\0');
    for (int x = 0; x < kWidth; ++x) {
      const std::uint32_t bits = value(kPicture.at(static_cast<std::size_t>(y * kWidth + x)));
      const unsigned at = static_cast<unsigned>(x) * depth;
      if (depth < 8) {
        row[at / 8] = static_cast<char>(row[at / 8] | bits << (8 - depth - at % 8));
      } else {
        row.replace(at / 8, depth / 8, le32(bits).substr(0, depth / 8));
      }
    }
    bytes += row;
  }
  return bytes;
}

inline std::uint32_t place(std::uint32_t index) { return index; }
inline std::uint32_t colour(std::uint32_t index) { return kColours.at(index); }
// Red, green and blue of `red` bits and so on.
inline std::uint32_t narrowed(std::uint32_t index, unsigned red, unsigned green, unsigned blue) {
  const std::uint32_t full = kColours.at(index);
  return (full >> 16 & 255) >> (8 - red) << (green + blue) |
         (full >> 8 & 255) >> (8 - green) << blue | (full & 255) >> (8 - blue);
}

struct Dib {
  unsigned header = 40;
  std::int32_t width = kWidth;
  std::int32_t height = kHeight;
  unsigned depth = 24;
  unsigned compression = 0;
  std::vector<std::uint32_t> masks{};
  std::vector<std::uint32_t> palette{};  // 0xRRGGBB
  std::string pixels{};
  std::uint32_t metre = 0;  // pixels of it
};

inline std::string without_pixels(const Dib& dib) {
  std::string bytes = le32(dib.header);
  const auto width = static_cast<std::uint32_t>(dib.width);
  const auto height = static_cast<std::uint32_t>(dib.height);
  if (dib.header == 12) {
    bytes += le16(width) + le16(height) + le16(1) + le16(dib.depth);
  } else {
    bytes += le32(width) + le32(height) + le16(1) + le16(dib.depth) + le32(dib.compression);
    bytes += le32(0) + le32(dib.metre) + le32(dib.metre);
    bytes += le32(static_cast<std::uint32_t>(dib.palette.size())) + le32(0);
  }
  for (const std::uint32_t mask : dib.masks) bytes += le32(mask);
  if (bytes.size() < dib.header) bytes.resize(dib.header);
  for (const std::uint32_t one : dib.palette)
    bytes += le32(one).substr(0, dib.header == 12 ? 3 : 4);
  return bytes;
}

inline std::string dib_of(const Dib& dib) { return without_pixels(dib) + dib.pixels; }

inline std::string bmp_of(const Dib& dib) {
  const auto pixels_at = static_cast<std::uint32_t>(14 + without_pixels(dib).size());
  const auto size = static_cast<std::uint32_t>(pixels_at + dib.pixels.size());
  return "BM" + le32(size) + le32(0) + le32(pixels_at) + dib_of(dib);
}

// The icon of these pictures, with sizes that the list does not tell.
inline std::string ico_of(const std::vector<std::string>& pictures) {
  const auto count = static_cast<std::uint32_t>(pictures.size());
  std::string list = le16(0) + le16(1) + le16(count);
  std::string bodies;
  for (const std::string& picture : pictures) {
    const auto at = static_cast<std::uint32_t>(6 + 16 * pictures.size() + bodies.size());
    list += le32(0) + le16(1) + le16(0) + le32(static_cast<std::uint32_t>(picture.size()));
    list += le32(at);
    bodies += picture;
  }
  return list + bodies;
}

// Each prefix and each change of one byte of `whole`, in memory of exactly its size, so that a
// sanitizer sees a read beyond it.
inline void each_damaged(const std::string& whole,
                         const std::function<void(std::string_view, bool is_prefix)>& see) {
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<char> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    see({part.data(), part.size()}, true);
  }
  std::vector<char> changed(whole.begin(), whole.end());
  for (char& byte : changed) {
    const char before = byte;
    for (int value = 0; value < 256; ++value) {
      byte = static_cast<char>(value);
      see({changed.data(), changed.size()}, false);
    }
    byte = before;
  }
}

}  // namespace millrace::test
