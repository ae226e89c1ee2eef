#include <algorithm>
#include <string>

#include "agent/render/dib.hpp"
#include "agent/render/file_bytes.hpp"

namespace millrace::render {
namespace {

// Where the next pixel goes. Rows count from the bottom, as they come.
class Pen {
 public:
  Pen(const DibHeader& header, const Palette& palette, Bitmap& into)
      : width_(header.width), height_(header.height), palette_(palette), into_(into) {}

  bool has_row() const { return y_ < height_; }
  // Nothing is left to be said: also without the mark that ends the picture.
  bool has_drawn_all() const { return y_ >= height_ || (y_ == height_ - 1 && x_ >= width_); }

  // False for a colour that the palette lacks. What goes beyond the row is dropped: some writers
  // fill runs up to an even number. Needs has_row().
  bool put(std::size_t index) {
    if (x_ < width_) {
      if (index >= palette_.size()) return false;
      std::ranges::copy(palette_[index], into_.row(height_ - 1 - y_) + x_ * 3);
    }
    ++x_;
    return true;
  }
  void next_row() {
    x_ = 0;
    ++y_;
  }
  void move(std::uint64_t across, std::uint64_t up) {
    x_ += across;
    y_ += up;
  }

 private:
  std::uint64_t width_;
  std::uint64_t height_;
  const Palette& palette_;
  Bitmap& into_;
  std::uint64_t x_ = 0;
  std::uint64_t y_ = 0;
};

// One of two in a byte where they have four bits; the upper one comes first.
std::size_t index_in(std::uint8_t byte, std::uint64_t number, bool four_bits) {
  if (!four_bits) return byte;
  return number % 2 == 0 ? byte >> 4 : byte & 15;
}

constexpr const char* kCutOff = "bitmap is cut off in its pixels";
constexpr const char* kNoColour = "bitmap has a pixel of a colour that its palette lacks";
constexpr const char* kAbove = "bitmap has pixels above its last row";

}  // namespace

std::expected<void, Refused> unpack_rle(std::string_view pixels, const DibHeader& header,
                                        const Palette& palette, Bitmap& into) {
  enum Escape : std::uint8_t { EndOfRow, EndOfPicture, Move };
  const bool four_bits = header.coding == DibCoding::Rle4;
  for (std::size_t i = 0; i + 2 < into.bytes.size(); i += 3) {
    std::ranges::copy(palette.front(), into.bytes.data() + i);
  }
  Pen pen(header, palette, into);
  std::uint64_t at = 0;
  while (holds(pixels, at, 2)) {
    const std::uint8_t count = byte_at(pixels, at);
    const std::uint8_t value = byte_at(pixels, at + 1);
    at += 2;
    if (count == 0 && value == EndOfPicture) return {};
    if (count == 0 && value == EndOfRow) {
      pen.next_row();
      continue;
    }
    if (count == 0 && value == Move) {
      if (!holds(pixels, at, 2)) return broken(kCutOff);
      pen.move(byte_at(pixels, at), byte_at(pixels, at + 1));
      at += 2;
      continue;
    }
    if (!pen.has_row()) return broken(kAbove);
    // A run repeats `value`; otherwise `value` pixels follow, filled up to two bytes.
    const std::uint64_t length = count != 0 ? count : value;
    const std::uint64_t bytes = count != 0 ? 0 : four_bits ? (length + 1) / 2 : length;
    if (!holds(pixels, at, bytes)) return broken(kCutOff);
    for (std::uint64_t i = 0; i < length; ++i) {
      const std::uint8_t byte = count != 0 ? value : byte_at(pixels, at + (four_bits ? i / 2 : i));
      if (!pen.put(index_in(byte, i, four_bits))) return broken(kNoColour);
    }
    at += bytes + bytes % 2;
  }
  if (!pen.has_drawn_all()) return broken(kCutOff);
  return {};
}

}  // namespace millrace::render
