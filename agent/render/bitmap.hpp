// A picture in memory, as our own decoders (bmp, ico) hand it on. No libvips.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "agent/render/protocol.hpp"

namespace millrace::render {

struct Bitmap {
  int width = 0;
  int height = 0;
  int bands = 3;                    // 3: RGB; 4: RGBA, the colours not multiplied by the alpha
  std::vector<std::uint8_t> bytes;  // rows from the top, without padding
  double across = 0;                // pixels a millimetre; 0: the file does not say
  double down = 0;

  std::uint8_t* row(std::uint64_t y) {
    return bytes.data() + y * static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(bands);
  }
};

// What every decoder here returns for bytes that are no picture of its kind.
inline std::unexpected<Refused> broken(std::string message) {
  return std::unexpected(Refused{Code::BrokenInput, std::move(message)});
}

// Longest side of a picture; that of libvips too (VIPS_MAX_COORD).
constexpr std::uint64_t kLongestSide = 10'000'000;

// TooLarge where a picture of this size has more pixels than `most` or a side too long.
std::expected<void, Refused> check_pixels(std::uint64_t width, std::uint64_t height,
                                          std::uint64_t most);

// All bytes zero. Checks as above before it allocates; TooLarge also where memory is short.
std::expected<Bitmap, Refused> make_bitmap(std::uint64_t width, std::uint64_t height, int bands,
                                           std::uint64_t most_pixels);

// For an alpha that is zero everywhere: whoever wrote it left it out, and nobody meant a picture
// of which nothing is seen. `bitmap` is RGBA.
bool has_no_visible_pixel(const Bitmap& bitmap);
void make_opaque(Bitmap& bitmap);

}  // namespace millrace::render
