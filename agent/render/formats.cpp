#include "agent/render/formats.hpp"

#include <algorithm>
#include <array>

#include "agent/render/dib.hpp"
#include "agent/render/file_bytes.hpp"
#include "platform/base/text.hpp"

namespace millrace::render {
namespace {

// Sides: JPEG and GIF count in 16 bits, WebP in 14; libheif refuses more than 16384 on loading.
constexpr std::array kFormats{
    Format{"jpg", "image/jpeg", "jpegload", "jpegsave", Pages::One, false, true, 65535},
    Format{"png", "image/png", "pngload", "pngsave", Pages::One, true, false, 0},
    Format{"webp", "image/webp", "webpload", "webpsave", Pages::Animation, true, false, 16383},
    Format{"avif", "image/avif", "heifload", "heifsave", Pages::One, true, false, 16384},
    Format{"heic", "image/heic", "heifload", "heifsave", Pages::One, true, false, 16384},
    Format{"tiff", "image/tiff", "tiffload", "tiffsave", Pages::Document, true, true, 0},
    Format{"gif", "image/gif", "gifload", "gifsave", Pages::Animation, true, false, 65535},
    Format{"jxl", "image/jxl", "jxlload", "jxlsave", Pages::One, true, false, 0},
    Format{"jp2", "image/jp2", "jp2kload", "jp2ksave", Pages::One, true, false, 0},
    Format{"pdf", "application/pdf", "pdfload", nullptr, Pages::Document, false, true, 0},
    Format{"svg", "image/svg+xml", "svgload", nullptr, Pages::One, true, false, 0},
    Format{"ppm", "image/x-portable-pixmap", "ppmload", nullptr, Pages::One, false, false, 0},
    Format{"bmp", "image/bmp", nullptr, nullptr, Pages::One, false, false, 0, Decoder::Bmp},
    Format{"ico", "image/vnd.microsoft.icon", nullptr, nullptr, Pages::One, false, false, 0,
           Decoder::Ico},
};

struct Alias {
  std::string_view other;
  std::string_view name;
};
constexpr std::array kAliases{
    Alias{"jpeg", "jpg"}, Alias{"jpe", "jpg"}, Alias{"tif", "tiff"}, Alias{"heif", "heic"},
    Alias{"j2k", "jp2"},  Alias{"j2c", "jp2"}, Alias{"jpc", "jp2"},  Alias{"svgz", "svg"},
    Alias{"pnm", "ppm"},  Alias{"pgm", "ppm"}, Alias{"pbm", "ppm"},  Alias{"pfm", "ppm"},
    Alias{"dib", "bmp"},
};

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  std::string_view name;
};
using namespace std::string_view_literals;
constexpr std::array kMagics{
    Magic{0, "\x89PNG\r\n\x1a\n"sv, "png"},
    Magic{0, "\xff\xd8\xff"sv, "jpg"},
    Magic{8, "WEBP"sv, "webp"},
    Magic{4, "ftypavif"sv, "avif"},
    Magic{4, "ftypavis"sv, "avif"},
    Magic{4, "ftyphei"sv, "heic"},
    Magic{4, "ftyphev"sv, "heic"},
    Magic{4, "ftypmif1"sv, "heic"},
    Magic{4, "ftypmsf1"sv, "heic"},
    Magic{0, "II*\0"sv, "tiff"},
    Magic{0, "MM\0*"sv, "tiff"},
    Magic{0, "II+\0"sv, "tiff"},
    Magic{0, "MM\0+"sv, "tiff"},
    Magic{0, "GIF87a"sv, "gif"},
    Magic{0, "GIF89a"sv, "gif"},
    Magic{0, "\xff\x0a"sv, "jxl"},
    Magic{0, "\0\0\0\x0cJXL \r\n\x87\n"sv, "jxl"},
    Magic{0, "\0\0\0\x0cjP  \r\n\x87\n"sv, "jp2"},
    Magic{0, "\xff\x4f\xff\x51"sv, "jp2"},
};

bool is_netpbm(std::string_view head) {
  return head.size() > 2 && head[0] == 'P' &&
         std::string_view("123456fF").find(head[1]) != std::string_view::npos &&
         std::string_view(" \t\r\n#").find(head[2]) != std::string_view::npos;
}

// Text that opens an element before anything else may stand is XML; an svg element must follow.
// A compressed svg is not taken: its size is known only after it was unpacked.
bool is_svg(std::string_view head) {
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && head[first] == '<' &&
         head.find("<svg") != std::string_view::npos;
}

// Two letters say little: the length of the header behind them must be one that our decoder knows.
bool is_bmp(std::string_view head) {
  return head.starts_with("BM") && is_dib_header_size(u32_at(head, 14));
}

// The first picture of an icon lies behind the list that it stands in.
bool is_ico(std::string_view head) {
  const std::uint64_t list = 6 + std::uint64_t{16} * u16_at(head, 4);
  return head.starts_with("\0\0\1\0"sv) && list > 6 && u32_at(head, 18) >= list;
}

}  // namespace

std::span<const Format> formats() { return kFormats; }

const Format* find_format(std::string_view name) {
  std::string wanted = to_lower_ascii(name);
  for (const Alias& alias : kAliases) {
    if (alias.other == wanted) wanted = alias.name;
  }
  const auto found = std::ranges::find(kFormats, wanted, &Format::name);
  return found == kFormats.end() ? nullptr : &*found;
}

const Format* sniff(std::string_view head) {
  // mif1 says only "an image": the compatible brands that follow tell which coding.
  const std::string_view brands = head.substr(0, 64);
  if (brands.substr(0, 12).ends_with("ftypmif1") && brands.find("avif") != std::string_view::npos) {
    return find_format("avif");
  }
  for (const Magic& magic : kMagics) {
    if (head.size() > magic.offset && head.substr(magic.offset).starts_with(magic.bytes)) {
      return find_format(magic.name);
    }
  }
  // Up to 1024 bytes may stand before the header of a PDF (ISO 32000-1, annex H.3).
  if (head.substr(0, 1024).find("%PDF-") != std::string_view::npos) return find_format("pdf");
  if (is_bmp(head)) return find_format("bmp");
  if (is_ico(head)) return find_format("ico");
  if (is_netpbm(head)) return find_format("ppm");
  if (is_svg(head)) return find_format("svg");
  return nullptr;
}

}  // namespace millrace::render
