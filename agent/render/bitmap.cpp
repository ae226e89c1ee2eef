#include "agent/render/bitmap.hpp"

#include <new>
#include <string>

namespace millrace::render {

std::expected<void, Refused> check_pixels(std::uint64_t width, std::uint64_t height,
                                          std::uint64_t most) {
  if (width > kLongestSide || height > kLongestSide) {
    return std::unexpected(
        Refused{Code::TooLarge,
                "picture has more than " + std::to_string(kLongestSide) + " pixels a side"});
  }
  const std::uint64_t pixels = width * height;  // below 2^47 by the check before
  if (pixels <= most) return {};
  return std::unexpected(Refused{Code::TooLarge, "picture has " + std::to_string(pixels) +
                                                     " pixels, limit is " + std::to_string(most)});
}

std::expected<Bitmap, Refused> make_bitmap(std::uint64_t width, std::uint64_t height, int bands,
                                           std::uint64_t most_pixels) {
  if (auto fits = check_pixels(width, height, most_pixels); !fits) {
    return std::unexpected(fits.error());
  }
  Bitmap bitmap;
  bitmap.width = static_cast<int>(width);
  bitmap.height = static_cast<int>(height);
  bitmap.bands = bands;
  try {
    bitmap.bytes.resize(width * height * static_cast<std::uint64_t>(bands));
  } catch (const std::bad_alloc&) {
    return std::unexpected(Refused{Code::TooLarge, "no memory for the picture"});
  }
  return bitmap;
}

bool has_no_visible_pixel(const Bitmap& bitmap) {
  for (std::size_t i = 3; i < bitmap.bytes.size(); i += 4) {
    if (bitmap.bytes[i] != 0) return false;
  }
  return true;
}

void make_opaque(Bitmap& bitmap) {
  for (std::size_t i = 3; i < bitmap.bytes.size(); i += 4) bitmap.bytes[i] = 255;
}

}  // namespace millrace::render
