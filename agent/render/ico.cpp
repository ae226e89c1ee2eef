#include "agent/render/ico.hpp"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "agent/render/dib.hpp"
#include "agent/render/file_bytes.hpp"

namespace millrace::render {
namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t kListHeader = 6;
constexpr std::uint64_t kListEntry = 16;
constexpr std::string_view kPngBegin = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"sv;

struct Entry {
  std::string_view bytes;
  std::uint64_t width = 0;
  std::uint64_t height = 0;  // of the picture, without the mask
  std::uint64_t depth = 0;
  std::optional<DibHeader> dib;  // none: a PNG
};

std::expected<Entry, Refused> read_png_entry(std::string_view bytes) {
  constexpr std::array<unsigned, 7> kChannels{1, 1, 3, 1, 2, 1, 4};  // by the colour type of PNG
  if (!holds(bytes, 0, 33)) return broken("icon is cut off in a picture");
  Entry entry;
  entry.bytes = bytes;
  entry.width = u32_be_at(bytes, 16);
  entry.height = u32_be_at(bytes, 20);
  const std::size_t colour_type = byte_at(bytes, 25);
  if (entry.width == 0 || entry.height == 0 || colour_type >= kChannels.size()) {
    return broken("icon has a PNG whose header makes no sense");
  }
  entry.depth = byte_at(bytes, 24) * kChannels[colour_type];
  return entry;
}

std::expected<Entry, Refused> read_dib_entry(std::string_view bytes) {
  auto header = read_dib_header(bytes);
  if (!header) return std::unexpected(header.error());
  // The mask stands above the picture as if it were a part of it.
  if (header->is_packed() || header->top_down || header->height % 2 != 0) {
    return broken("icon has a bitmap without room for its mask");
  }
  header->height /= 2;
  if (header->depth == 32 && header->coding == DibCoding::Plain) header->masks[3] = 0xff000000;
  Entry entry;
  entry.bytes = bytes;
  entry.width = header->width;
  entry.height = header->height;
  entry.depth = header->depth;
  entry.dib = *header;
  return entry;
}

std::expected<Entry, Refused> read_entry(std::string_view file, std::uint64_t at) {
  const std::uint64_t size = u32_at(file, at + 8);
  const std::uint64_t offset = u32_at(file, at + 12);
  if (!holds(file, offset, size)) return broken("icon is cut off in a picture");
  const std::string_view bytes = file.substr(offset, size);
  return bytes.starts_with(kPngBegin) ? read_png_entry(bytes) : read_dib_entry(bytes);
}

bool is_better(const Entry& one, const Entry& other) {
  const auto rank = [](const Entry& entry) {
    return std::pair(entry.width * entry.height, entry.depth);
  };
  return rank(one) > rank(other);
}

std::expected<Entry, Refused> best_entry(std::string_view file) {
  if (!file.starts_with("\0\0\1\0"sv)) {
    if (!file.starts_with("\0\0\2\0"sv)) return broken("not an icon");
    return std::unexpected(Refused{Code::UnsupportedRoute, "cursors are not read"});
  }
  const std::uint64_t count = u16_at(file, 4);
  if (!holds(file, kListHeader, count * kListEntry)) return broken("icon is cut off in its list");
  std::optional<Entry> best;
  for (std::uint64_t i = 0; i < count; ++i) {
    auto entry = read_entry(file, kListHeader + i * kListEntry);
    if (!entry) return entry;
    if (!best || is_better(*entry, *best)) best = *entry;
  }
  if (!best) return broken("icon has no pictures");
  return *best;
}

// 0 where the mask is cut off. Pillow does not fill up the rows of its masks; then nothing follows.
std::uint64_t mask_row_bytes(std::string_view mask, const DibHeader& header) {
  const std::uint64_t filled = dib_row_bytes(header.width, 1);
  const std::uint64_t bare = (header.width + 7) / 8;
  if (holds(mask, 0, filled * (header.height - 1) + bare)) return filled;
  return mask.size() == bare * header.height ? bare : 0;
}

// A pixel whose bit is set is not part of the icon.
void apply_mask(std::string_view mask, std::uint64_t row_bytes, const DibHeader& header,
                Bitmap& bitmap) {
  for (std::uint64_t y = 0; y < header.height; ++y) {
    std::uint8_t* const row = bitmap.row(header.height - 1 - y);
    for (std::uint64_t x = 0; x < header.width; ++x) {
      const unsigned byte = byte_at(mask, y * row_bytes + x / 8);
      row[x * 4 + 3] = (byte >> (7 - x % 8) & 1) != 0 ? std::uint8_t{0} : std::uint8_t{255};
    }
  }
}

std::expected<IconPicture, Refused> decode_dib(const Entry& entry, std::uint64_t most_pixels) {
  const DibHeader& header = *entry.dib;
  const std::uint64_t pixels_at = header.body + header.colours * header.colour_bytes;
  const std::uint64_t pixel_bytes = dib_row_bytes(header.width, header.depth) * header.height;
  if (!holds(entry.bytes, pixels_at, pixel_bytes)) return broken("icon is cut off in a picture");
  const auto palette = read_palette(entry.bytes, header, pixels_at);
  if (!palette) return std::unexpected(palette.error());
  auto bitmap = make_bitmap(header.width, header.height, 4, most_pixels);
  if (!bitmap) return std::unexpected(bitmap.error());
  const std::string_view pixels = entry.bytes.substr(pixels_at);
  if (auto done = unpack_rows(pixels, header, *palette, *bitmap); !done) {
    return std::unexpected(done.error());
  }
  if (!header.has_alpha() || has_no_visible_pixel(*bitmap)) {
    const std::string_view mask = pixels.substr(pixel_bytes);
    const std::uint64_t row_bytes = mask_row_bytes(mask, header);
    if (row_bytes == 0) return broken("icon is cut off in its mask");
    apply_mask(mask, row_bytes, header, *bitmap);
  }
  return std::move(*bitmap);
}

}  // namespace

std::expected<IconPicture, Refused> decode_ico(std::string_view file, std::uint64_t most_pixels) {
  const auto entry = best_entry(file);
  if (!entry) return std::unexpected(entry.error());
  if (auto fits = check_pixels(entry->width, entry->height, most_pixels); !fits) {
    return std::unexpected(fits.error());
  }
  if (!entry->dib) return PngInIcon{entry->bytes};
  return decode_dib(*entry, most_pixels);
}

}  // namespace millrace::render
