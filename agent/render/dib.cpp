#include "agent/render/dib.hpp"

#include <algorithm>
#include <bit>
#include <string>

#include "agent/render/file_bytes.hpp"

namespace millrace::render {
namespace {

std::unexpected<Refused> not_read(std::string message) {
  return std::unexpected(Refused{Code::UnsupportedRoute, std::move(message)});
}

// Lengths of headers: the first tells what follows.
constexpr std::uint32_t kCore = 12;
constexpr std::uint32_t kInfo = 40;
constexpr std::uint32_t kV2 = 52;  // with masks
constexpr std::uint32_t kV3 = 56;  // with a mask for alpha
constexpr std::uint32_t kOs2 = 64;
constexpr std::uint32_t kV4 = 108;
constexpr std::uint32_t kV5 = 124;
constexpr std::array kHeaders{kCore, kInfo, kV2, kV3, kOs2, kV4, kV5};

// Values of biCompression.
enum Compression : std::uint32_t { Rgb, Rle8, Rle4, BitFields, Jpeg, Png, AlphaBitFields };

struct Combination {
  Compression compression;
  unsigned depth;
  DibCoding coding;
};
constexpr std::array kCombinations{
    Combination{Rgb, 1, DibCoding::Plain},
    Combination{Rgb, 4, DibCoding::Plain},
    Combination{Rgb, 8, DibCoding::Plain},
    Combination{Rgb, 16, DibCoding::Plain},
    Combination{Rgb, 24, DibCoding::Plain},
    Combination{Rgb, 32, DibCoding::Plain},
    Combination{Rle8, 8, DibCoding::Rle8},
    Combination{Rle4, 4, DibCoding::Rle4},
    Combination{BitFields, 16, DibCoding::Masks},
    Combination{BitFields, 32, DibCoding::Masks},
    Combination{AlphaBitFields, 16, DibCoding::Masks},
    Combination{AlphaBitFields, 32, DibCoding::Masks},
};

constexpr std::array<std::uint32_t, 4> kMasks16{0x7c00, 0x03e0, 0x001f, 0};
constexpr std::array<std::uint32_t, 4> kMasks32{0xff0000, 0xff00, 0xff, 0};

// How many masks stand in the header or right behind it, whether the coding uses them or not.
unsigned mask_count(std::uint32_t size, std::uint32_t compression) {
  if (size == kInfo) return compression == AlphaBitFields ? 4 : compression == BitFields ? 3 : 0;
  if (size == kV2) return 3;
  return size == kCore || size == kOs2 ? 0 : 4;
}

bool is_one_run(std::uint32_t mask) {
  return mask == 0 || std::has_single_bit((mask >> std::countr_zero(mask)) + 1ULL);
}

std::expected<void, Refused> read_masks(std::string_view dib, unsigned count, DibHeader& header) {
  if (!holds(dib, kInfo, count * 4ULL)) return broken("bitmap is cut off in its colour masks");
  for (unsigned i = 0; i < count; ++i) header.masks[i] = u32_at(dib, kInfo + i * 4ULL);
  const auto outside = [&](std::uint32_t mask) { return header.depth == 16 && mask >> 16 != 0; };
  for (const std::uint32_t mask : header.masks) {
    if (!is_one_run(mask) || outside(mask))
      return broken("bitmap has a colour mask that makes no sense");
  }
  if ((header.masks[0] | header.masks[1] | header.masks[2]) == 0) {
    return broken("bitmap has no colour masks");
  }
  return {};
}

std::expected<void, Refused> read_coding(std::string_view dib, std::uint32_t size,
                                         DibHeader& header) {
  const std::uint32_t compression = size == kCore ? std::uint32_t{Rgb} : u32_at(dib, 16);
  const bool jpeg_or_png = compression == Jpeg || compression == Png;
  if (jpeg_or_png || (size == kOs2 && compression > Rle4)) {
    return not_read("bitmaps of compression " + std::to_string(compression) + " are not read");
  }
  const auto found = std::ranges::find_if(kCombinations, [&](const Combination& row) {
    return row.compression == compression && row.depth == header.depth;
  });
  if (found == kCombinations.end()) {
    return broken("bitmap has " + std::to_string(header.depth) + " bits a pixel in compression " +
                  std::to_string(compression));
  }
  header.coding = found->coding;
  if (header.is_packed() && header.top_down) return broken("bitmap is compressed and top-down");
  const unsigned masks = mask_count(size, compression);
  header.body = size == kInfo ? size + masks * 4ULL : size;
  if (header.coding == DibCoding::Masks) return read_masks(dib, masks, header);
  header.masks = header.depth == 16 ? kMasks16 : kMasks32;
  return {};
}

void read_core_size(std::string_view dib, DibHeader& header) {
  header.width = u16_at(dib, 4);
  header.height = u16_at(dib, 6);
  header.depth = u16_at(dib, 10);
  header.colour_bytes = 3;
}

// A negative height means rows from the top.
void read_info_size(std::string_view dib, DibHeader& header) {
  const auto width = static_cast<std::int32_t>(u32_at(dib, 4));
  const std::int64_t height = static_cast<std::int32_t>(u32_at(dib, 8));
  header.width = width < 0 ? 0 : static_cast<std::uint64_t>(width);
  header.top_down = height < 0;
  header.height = static_cast<std::uint64_t>(height < 0 ? -height : height);
  header.depth = u16_at(dib, 14);
  const auto across = static_cast<std::int32_t>(u32_at(dib, 24));  // pixels a metre
  const auto down = static_cast<std::int32_t>(u32_at(dib, 28));
  if (across > 0 && down > 0) {
    header.across = across / 1000.0;
    header.down = down / 1000.0;
  }
  header.colours = u32_at(dib, 32);
}

// Widens a part of a pixel to eight bits, or narrows it.
class Channel {
 public:
  explicit Channel(std::uint32_t mask) {
    if (mask == 0) return;
    const int bits = std::popcount(mask);
    mask_ = mask;
    shift_ = std::countr_zero(mask) + std::max(0, bits - 8);
    const unsigned most = (1U << std::min(bits, 8)) - 1;
    for (unsigned i = 0; i <= most; ++i) {
      widened_[i] = static_cast<std::uint8_t>((i * 255 + most / 2) / most);
    }
  }
  std::uint8_t of(std::uint32_t pixel) const { return widened_[(pixel & mask_) >> shift_]; }

 private:
  std::uint32_t mask_ = 0;
  int shift_ = 0;
  std::array<std::uint8_t, 256> widened_{};
};

void unpack_masked_row(std::string_view row, const DibHeader& header,
                       const std::array<Channel, 4>& channels, int bands, std::uint8_t* out) {
  for (std::uint64_t x = 0; x < header.width; ++x) {
    const std::uint32_t pixel = header.depth == 16 ? u16_at(row, x * 2) : u32_at(row, x * 4);
    for (std::size_t i = 0; i < 3; ++i) *out++ = channels[i].of(pixel);
    if (bands == 4) *out++ = header.has_alpha() ? channels[3].of(pixel) : std::uint8_t{255};
  }
}

void unpack_24_bit_row(std::string_view row, const DibHeader& header, int bands,
                       std::uint8_t* out) {
  for (std::uint64_t x = 0; x < header.width; ++x) {
    for (std::uint64_t i = 3; i-- > 0;) *out++ = byte_at(row, x * 3 + i);
    if (bands == 4) *out++ = 255;
  }
}

// False for a colour that the palette lacks.
bool unpack_palette_row(std::string_view row, const DibHeader& header, const Palette& palette,
                        int bands, std::uint8_t* out) {
  const unsigned most = (1U << header.depth) - 1;
  for (std::uint64_t x = 0; x < header.width; ++x) {
    const std::uint64_t bit = x * header.depth;
    const unsigned shift = 8 - header.depth - static_cast<unsigned>(bit % 8);
    const std::size_t index = (static_cast<unsigned>(byte_at(row, bit / 8)) >> shift) & most;
    if (index >= palette.size()) return false;
    for (const std::uint8_t part : palette[index]) *out++ = part;
    if (bands == 4) *out++ = 255;
  }
  return true;
}

}  // namespace

bool is_dib_header_size(std::uint32_t size) {
  return std::ranges::find(kHeaders, size) != kHeaders.end();
}

std::expected<DibHeader, Refused> read_dib_header(std::string_view dib) {
  if (!holds(dib, 0, 4)) return broken("bitmap is cut off in its header");
  const std::uint32_t size = u32_at(dib, 0);
  if (!is_dib_header_size(size)) {
    return not_read("bitmaps with a header of " + std::to_string(size) + " bytes are not read");
  }
  if (!holds(dib, 0, size)) return broken("bitmap is cut off in its header");
  DibHeader header;
  if (size == kCore) {
    read_core_size(dib, header);
  } else {
    read_info_size(dib, header);
  }
  if (header.width == 0 || header.height == 0) return broken("bitmap has no width or no height");
  if (auto coding = read_coding(dib, size, header); !coding) {
    return std::unexpected(coding.error());
  }
  if (header.depth <= 8 && header.colours == 0) header.colours = 1ULL << header.depth;
  return header;
}

std::expected<Palette, Refused> read_palette(std::string_view dib, const DibHeader& header,
                                             std::uint64_t end) {
  Palette palette;
  if (header.depth > 8) return palette;
  const std::uint64_t before = std::min<std::uint64_t>(end, dib.size());
  const std::uint64_t room = before > header.body ? before - header.body : 0;
  const std::uint64_t count =
      std::min({header.colours, std::uint64_t{1} << header.depth, room / header.colour_bytes});
  if (count == 0) return broken("bitmap has no palette");
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t at = header.body + i * header.colour_bytes;
    palette.push_back({byte_at(dib, at + 2), byte_at(dib, at + 1), byte_at(dib, at)});
  }
  return palette;
}

std::uint64_t dib_row_bytes(std::uint64_t width, unsigned depth) {
  return (width * depth + 31) / 32 * 4;
}

std::uint64_t dib_pixel_bytes(const DibHeader& header) {
  return dib_row_bytes(header.width, header.depth) * (header.height - 1) +
         (header.width * header.depth + 7) / 8;
}

std::expected<void, Refused> unpack_rows(std::string_view pixels, const DibHeader& header,
                                         const Palette& palette, Bitmap& into) {
  if (!holds(pixels, 0, dib_pixel_bytes(header))) return broken("bitmap is cut off in its pixels");
  const std::array channels{Channel(header.masks[0]), Channel(header.masks[1]),
                            Channel(header.masks[2]), Channel(header.masks[3])};
  const std::uint64_t size = dib_row_bytes(header.width, header.depth);
  for (std::uint64_t y = 0; y < header.height; ++y) {
    const std::string_view row = pixels.substr(y * size, size);
    std::uint8_t* const out = into.row(header.top_down ? y : header.height - 1 - y);
    if (header.depth == 24) {
      unpack_24_bit_row(row, header, into.bands, out);
    } else if (header.depth > 8) {
      unpack_masked_row(row, header, channels, into.bands, out);
    } else if (!unpack_palette_row(row, header, palette, into.bands, out)) {
      return broken("bitmap has a pixel of a colour that its palette lacks");
    }
  }
  return {};
}

}  // namespace millrace::render
