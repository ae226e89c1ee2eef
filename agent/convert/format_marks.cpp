#include "agent/convert/format_marks.hpp"

#include <array>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

using namespace std::string_view_literals;

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

std::string_view without_blanks(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty() && " \t\r\n"sv.find(text.front()) != std::string_view::npos) {
    text.remove_prefix(1);
  }
  return text;
}

// Some encoders pad to an even size or add a line end.
std::string_view without_padding(std::string_view last) {
  while (!last.empty() && "\0\r\n"sv.find(last.back()) != std::string_view::npos) {
    last.remove_suffix(1);
  }
  return last;
}

bool jpeg_begins(std::string_view b) { return b.starts_with("\xFF\xD8\xFF"); }
bool jpeg_ends(std::string_view last, std::string_view, std::uint64_t) {
  return without_padding(last).ends_with("\xFF\xD9");
}

bool png_begins(std::string_view b) { return b.starts_with("\x89PNG\r\n\x1A\n"); }
bool png_ends(std::string_view last, std::string_view, std::uint64_t) {
  return without_padding(last).ends_with("IEND\xAE\x42\x60\x82");
}

bool gif_begins(std::string_view b) { return b.starts_with("GIF87a") || b.starts_with("GIF89a"); }
bool gif_ends(std::string_view last, std::string_view, std::uint64_t) {
  return without_padding(last).ends_with(';');
}

bool pdf_begins(std::string_view b) { return b.find("%PDF-") != std::string_view::npos; }
bool pdf_ends(std::string_view last, std::string_view, std::uint64_t) {
  return last.find("%%EOF") != std::string_view::npos;
}

bool webp_begins(std::string_view b) {
  return b.starts_with("RIFF") && b.size() >= 12 && b.substr(8, 4) == "WEBP";
}
bool wav_begins(std::string_view b) {
  return b.starts_with("RIFF") && b.size() >= 12 && b.substr(8, 4) == "WAVE";
}
// The size field counts what follows it; an odd file may be padded by one byte.
bool riff_ends(std::string_view, std::string_view first, std::uint64_t size) {
  const std::uint64_t told = little_endian(first.substr(4, 4)) + 8;
  return size == told || size == told + 1;
}

bool zip_begins(std::string_view b) {
  return b.starts_with("PK\x03\x04") || b.starts_with("PK\x05\x06");
}
// The end record is 22 bytes and a comment of up to 65,535; its last field is that length.
bool zip_ends(std::string_view last, std::string_view, std::uint64_t) {
  const auto at = last.rfind("PK\x05\x06");
  return at != std::string_view::npos && last.size() >= at + 22 &&
         last.size() - at - 22 == little_endian(last.substr(at + 20, 2));
}
constexpr std::size_t kZipTail = 22 + 65535;

bool tiff_begins(std::string_view b) {
  return b.starts_with("II*\0"sv) || b.starts_with("MM\0*"sv) || b.starts_with("II+\0"sv) ||
         b.starts_with("MM\0+"sv);
}

// ISO/IEC 14496-12: a box of type ftyp, whose brands stand from byte 8 to its end.
bool has_brand(std::string_view b, std::string_view brands) {
  if (b.size() < 16 || b.substr(4, 4) != "ftyp") return false;
  for (; brands.size() >= 4; brands.remove_prefix(4)) {
    if (b.substr(8, 56).find(brands.substr(0, 4)) != std::string_view::npos) return true;
  }
  return false;
}
bool avif_begins(std::string_view b) { return has_brand(b, "avifavismif1"); }
bool heic_begins(std::string_view b) { return has_brand(b, "heicheixhevcheimheismif1msf1"); }
bool mp4_begins(std::string_view b) { return b.size() >= 12 && b.substr(4, 4) == "ftyp"; }
bool mov_begins(std::string_view b) {
  static constexpr auto kBoxes = std::to_array({"ftyp"sv, "moov"sv, "mdat"sv, "wide"sv, "free"sv});
  for (const auto box : kBoxes) {
    if (b.size() >= 12 && b.substr(4, 4) == box) return true;
  }
  return false;
}

bool jxl_begins(std::string_view b) {
  return b.starts_with("\xFF\x0A") || b.starts_with("\0\0\0\x0CJXL \r\n\x87\n"sv);
}
bool jp2_begins(std::string_view b) {
  return b.starts_with("\0\0\0\x0CjP  \r\n\x87\n"sv) || b.starts_with("\xFF\x4F\xFF\x51");
}
bool bmp_begins(std::string_view b) { return b.starts_with("BM"); }
bool ico_begins(std::string_view b) { return b.starts_with("\0\0\1\0"sv); }
bool psd_begins(std::string_view b) { return b.starts_with("8BPS"); }
bool eps_begins(std::string_view b) {
  return b.starts_with("%!PS") || b.starts_with("\xC5\xD0\xD3\xC6");
}
bool rtf_begins(std::string_view b) { return b.starts_with("{\\rtf"); }
bool mp3_begins(std::string_view b) {
  return b.starts_with("ID3") ||
         (b.size() > 1 && b[0] == '\xFF' && (static_cast<unsigned char>(b[1]) & 0xE0) == 0xE0);
}
bool flac_begins(std::string_view b) { return b.starts_with("fLaC") || b.starts_with("ID3"); }
bool ogg_begins(std::string_view b) { return b.starts_with("OggS"); }
bool webm_begins(std::string_view b) { return b.starts_with("\x1A\x45\xDF\xA3"); }

bool xml_begins(std::string_view b) {
  b = without_blanks(b);
  return (b.starts_with('<') && !looks_like_html(b)) || b.starts_with("\xFF\xFE") ||
         b.starts_with("\xFE\xFF");
}
bool svg_begins(std::string_view b) {
  return xml_begins(b) &&
         (b.find("<svg") != std::string_view::npos || without_blanks(b).starts_with("<?xml") ||
          without_blanks(b).starts_with("<!"));
}
bool markup_ends(std::string_view last, std::string_view, std::uint64_t) {
  return last.find('>') != std::string_view::npos;
}
bool svg_ends(std::string_view last, std::string_view, std::uint64_t) {
  return last.find("svg>") != std::string_view::npos || last.find("/>") != std::string_view::npos;
}

bool anything_begins(std::string_view b) { return !b.empty(); }
bool other_begins(std::string_view b) {
  return !b.empty() && !looks_like_html(b) && !looks_like_json(b);
}

constexpr auto kRows = std::to_array<FormatMarks>({
    {"jpg", "image/jpeg", jpeg_begins, jpeg_ends, 64},
    {"jpeg", "image/jpeg", jpeg_begins, jpeg_ends, 64},
    {"png", "image/png", png_begins, png_ends, 64},
    {"apng", "image/apng", png_begins, png_ends, 64},
    {"gif", "image/gif", gif_begins, gif_ends, 64},
    {"pdf", "application/pdf", pdf_begins, pdf_ends, 1024},
    {"webp", "image/webp", webp_begins, riff_ends, 1},
    {"wav", "audio/wav", wav_begins, riff_ends, 1},
    {"tiff", "image/tiff", tiff_begins, nullptr},
    {"tif", "image/tiff", tiff_begins, nullptr},
    {"avif", "image/avif", avif_begins, nullptr},
    {"heic", "image/heic", heic_begins, nullptr},
    {"heif", "image/heif", heic_begins, nullptr},
    {"jxl", "image/jxl", jxl_begins, nullptr},
    {"jp2", "image/jp2", jp2_begins, nullptr},
    {"bmp", "image/bmp", bmp_begins, nullptr},
    {"ico", "image/vnd.microsoft.icon", ico_begins, nullptr},
    {"psd", "image/vnd.adobe.photoshop", psd_begins, nullptr},
    {"eps", "application/postscript", eps_begins, nullptr},
    {"ps", "application/postscript", eps_begins, nullptr},
    {"svg", "image/svg+xml", svg_begins, svg_ends, 256},
    {"xml", "application/xml", xml_begins, markup_ends, 256},
    {"zip", "application/zip", zip_begins, zip_ends, kZipTail},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", zip_begins,
     zip_ends, kZipTail},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", zip_begins,
     zip_ends, kZipTail},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation",
     zip_begins, zip_ends, kZipTail},
    {"odt", "application/vnd.oasis.opendocument.text", zip_begins, zip_ends, kZipTail},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet", zip_begins, zip_ends, kZipTail},
    {"odp", "application/vnd.oasis.opendocument.presentation", zip_begins, zip_ends, kZipTail},
    {"epub", "application/epub+zip", zip_begins, zip_ends, kZipTail},
    {"rtf", "application/rtf", rtf_begins, nullptr},
    {"mp3", "audio/mpeg", mp3_begins, nullptr},
    {"flac", "audio/flac", flac_begins, nullptr},
    {"ogg", "audio/ogg", ogg_begins, nullptr},
    {"opus", "audio/ogg", ogg_begins, nullptr},
    {"m4a", "audio/mp4", mp4_begins, nullptr},
    {"mp4", "video/mp4", mp4_begins, nullptr},
    {"mov", "video/quicktime", mov_begins, nullptr},
    {"webm", "video/webm", webm_begins, nullptr},
    {"mkv", "video/x-matroska", webm_begins, nullptr},
    {"html", "text/html", anything_begins, nullptr},
    {"htm", "text/html", anything_begins, nullptr},
    {"json", "application/json", anything_begins, nullptr},
    {"txt", "text/plain", anything_begins, nullptr},
    {"md", "text/markdown", anything_begins, nullptr},
    {"csv", "text/csv", anything_begins, nullptr},
});
constexpr FormatMarks kOther{"", "", other_begins, nullptr};

}  // namespace

const FormatMarks& marks_of(std::string_view target) {
  for (const FormatMarks& row : kRows) {
    if (row.target == target) return row;
  }
  return kOther;
}

bool looks_like_html(std::string_view first) {
  const std::string text = to_lower_ascii(without_blanks(first).substr(0, 32));
  return text.starts_with("<!doctype html") || text.starts_with("<html") ||
         text.starts_with("<head") || text.starts_with("<body");
}

bool looks_like_json(std::string_view first) {
  const std::string_view text = without_blanks(first);
  if (text.starts_with("{\\rtf")) return false;
  return text.starts_with('{') || text.starts_with('[');
}

}  // namespace millrace
