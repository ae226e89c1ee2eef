// Device-independent bitmaps: what stands in a bmp behind its file header, and in an ico. After
// Microsoft's "Bitmap Storage" (BITMAPCOREHEADER, BITMAPINFOHEADER, BITMAPV4HEADER,
// BITMAPV5HEADER). Colour spaces and profiles of V4 and V5 are not looked at: the colours are taken
// as sRGB.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string_view>
#include <vector>

#include "agent/render/bitmap.hpp"

namespace millrace::render {

enum class DibCoding { Plain, Rle8, Rle4, Masks };

struct DibHeader {
  std::uint64_t width = 0;   // 1 to 2^31
  std::uint64_t height = 0;  // 1 to 2^31
  bool top_down = false;
  unsigned depth = 0;  // bits a pixel: 1, 4, 8 (with a palette), 16, 24, 32
  DibCoding coding = DibCoding::Plain;
  std::array<std::uint32_t, 4> masks{};  // red, green, blue, alpha; of 16 and 32 bits
  std::uint64_t body = 0;                // offset of the palette, behind header and masks
  std::uint64_t colours = 0;             // that stand there by the header, also more than are used
  unsigned colour_bytes = 4;             // of one of them
  double across = 0;                     // as in Bitmap
  double down = 0;

  bool has_alpha() const { return masks[3] != 0; }
  bool is_packed() const { return coding == DibCoding::Rle8 || coding == DibCoding::Rle4; }
};

using Colour = std::array<std::uint8_t, 3>;  // red, green, blue
using Palette = std::vector<Colour>;

// Whether a header of ours is this long; it begins with its length.
bool is_dib_header_size(std::uint32_t size);

// `dib` begins with the header. BrokenInput where it is cut off or makes no sense, UnsupportedRoute
// for a JPEG or PNG in it and for what only OS/2 wrote. The size is not yet checked for a limit.
std::expected<DibHeader, Refused> read_dib_header(std::string_view dib);

// The colours that stand before the offset `end`; at most 2^depth, none for a depth without a
// palette. BrokenInput where the depth needs one and there is none.
std::expected<Palette, Refused> read_palette(std::string_view dib, const DibHeader& header,
                                             std::uint64_t end);

// Bytes of one row, filled up to four.
std::uint64_t dib_row_bytes(std::uint64_t width, unsigned depth);

// Bytes that the plain rows need at least; the last one need not be filled up.
std::uint64_t dib_pixel_bytes(const DibHeader& header);

// Both fill `into`, which has the header's width and height. `pixels` begins with them and may be
// longer. BrokenInput where it is too short or names a colour that the palette lacks.
std::expected<void, Refused> unpack_rows(std::string_view pixels, const DibHeader& header,
                                         const Palette& palette, Bitmap& into);
// Pixels that are left out get the palette's first colour. `into` is RGB.
std::expected<void, Refused> unpack_rle(std::string_view pixels, const DibHeader& header,
                                        const Palette& palette, Bitmap& into);

}  // namespace millrace::render
