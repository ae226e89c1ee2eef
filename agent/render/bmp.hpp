// Decodes bmp files. Pure code: bytes in, a picture out.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "agent/render/bitmap.hpp"

namespace millrace::render {

// Reads 1, 4, 8, 16, 24 and 32 bits a pixel, packed or not, bottom-up and top-down, with any header
// of Windows and the one of OS/2 2.x. The result is RGB, and RGBA where a mask for alpha says so
// and a pixel is visible. BrokenInput for what is cut off or contradicts itself, UnsupportedRoute
// for a variant that is not read, TooLarge for more than `most_pixels`; the size is checked, and
// that the bytes are there, before memory is taken.
std::expected<Bitmap, Refused> decode_bmp(std::string_view file, std::uint64_t most_pixels);

}  // namespace millrace::render
