#include "agent/render/bmp.hpp"

#include <string>

#include "agent/render/dib.hpp"
#include "agent/render/file_bytes.hpp"

namespace millrace::render {
namespace {

constexpr std::uint64_t kFileHeader = 14;

}  // namespace

std::expected<Bitmap, Refused> decode_bmp(std::string_view file, std::uint64_t most_pixels) {
  if (!file.starts_with("BM")) return broken("not a bitmap");
  if (!holds(file, 0, kFileHeader)) return broken("bitmap is cut off in its header");
  const std::uint64_t pixels_at = u32_at(file, 10);
  const std::string_view dib = file.substr(kFileHeader);
  const auto header = read_dib_header(dib);
  if (!header) return std::unexpected(header.error());
  if (auto fits = check_pixels(header->width, header->height, most_pixels); !fits) {
    return std::unexpected(fits.error());
  }
  if (pixels_at < kFileHeader + header->body) return broken("bitmap has pixels in its header");
  if (pixels_at >= file.size()) return broken("bitmap is cut off before its pixels");
  const auto palette = read_palette(dib, *header, pixels_at - kFileHeader);
  if (!palette) return std::unexpected(palette.error());
  const std::string_view pixels = file.substr(pixels_at);
  if (!header->is_packed() && !holds(pixels, 0, dib_pixel_bytes(*header))) {
    return broken("bitmap is cut off in its pixels");
  }
  auto bitmap =
      make_bitmap(header->width, header->height, header->has_alpha() ? 4 : 3, most_pixels);
  if (!bitmap) return bitmap;
  const auto unpack = header->is_packed() ? unpack_rle : unpack_rows;
  if (auto done = unpack(pixels, *header, *palette, *bitmap); !done) {
    return std::unexpected(done.error());
  }
  if (header->has_alpha() && has_no_visible_pixel(*bitmap)) make_opaque(*bitmap);
  bitmap->across = header->across;
  bitmap->down = header->down;
  return bitmap;
}

}  // namespace millrace::render
