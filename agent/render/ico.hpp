// Decodes icons. Pure code; a PNG in an icon is handed on as it is.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>
#include <variant>

#include "agent/render/bitmap.hpp"

namespace millrace::render {

struct PngInIcon {
  std::string_view bytes;  // of the file that was given
};
using IconPicture = std::variant<Bitmap, PngInIcon>;

// The picture with the most pixels, and of those the one with the most bits a pixel, as the
// pictures say themselves (the list of an icon knows sizes below 256 only). A Bitmap is RGBA: its
// alpha is that of the picture if it has one, otherwise it comes from the picture's mask.
// BrokenInput where any picture is cut off or its header makes no sense, UnsupportedRoute for a
// cursor, TooLarge for more than `most_pixels`, before memory is taken.
std::expected<IconPicture, Refused> decode_ico(std::string_view file, std::uint64_t most_pixels);

}  // namespace millrace::render
