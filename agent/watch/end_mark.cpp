#include "agent/watch/end_mark.hpp"

#include <algorithm>
#include <string>

#include "agent/watch/end_mark_offsets.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kHead = 1024;
constexpr std::size_t kTail = 2048;
constexpr std::size_t kZipTail = 22 + 65535;  // end record and its comment, APPNOTE 4.3.16

Result<std::string> tail_of(std::uint64_t size, std::size_t most, const ReadAt& read) {
  std::string tail(std::min<std::uint64_t>(size, most), '\0');
  auto got = read_fully(read, size - tail.size(), std::as_writable_bytes(std::span(tail)));
  if (!got) return std::unexpected(got.error());
  tail.resize(*got);
  return tail;
}

// The last byte that means something: writers pad with zeros and line ends.
std::string_view without_padding(std::string_view text) {
  const auto last = text.find_last_not_of("\0\r\n"sv);
  return text.substr(0, last == text.npos ? 0 : last + 1);
}

bool png_end(std::string_view tail) { return tail.rfind("IEND\xAE\x42\x60\x82"sv) != tail.npos; }
bool gif_end(std::string_view tail) { return without_padding(tail).ends_with(';'); }
bool pdf_end(std::string_view tail) { return tail.rfind("%%EOF"sv) != tail.npos; }

bool zip_end(std::string_view tail) {
  for (auto at = tail.rfind("PK\5\6"sv); at != tail.npos; at = tail.rfind("PK\5\6"sv, at - 1)) {
    if (tail.size() - at >= 22) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(tail[at + i]); };
      if (at + 22 + byte(20) + 256U * byte(21) <= tail.size()) return true;
    }
    if (at == 0) break;
  }
  return false;
}

bool is_jpeg(std::string_view head) { return head.starts_with("\xFF\xD8\xFF"sv); }
bool is_png(std::string_view head) { return head.starts_with("\x89PNG\r\n\x1A\n"sv); }
bool is_gif(std::string_view head) { return head.starts_with("GIF8"sv); }
bool is_pdf(std::string_view head) { return head.find("%PDF-"sv) != head.npos; }
bool is_zip(std::string_view head) {
  return head.starts_with("PK\3\4"sv) || head.starts_with("PK\5\6"sv);
}
bool is_tiff(std::string_view head) {
  return head.starts_with("II*\0"sv) || head.starts_with("MM\0*"sv) ||
         head.starts_with("II+\0"sv) || head.starts_with("MM\0+"sv);
}
bool is_mp4(std::string_view head) { return head.substr(0, 8).ends_with("ftyp"sv); }

struct Type {
  std::string_view extensions;  // each between dots
  bool (*begins)(std::string_view head);
  bool (*ends)(std::string_view tail);  // by the last bytes, or
  Result<bool> (*is_whole)(std::uint64_t size, const ReadAt& read);
  std::size_t tail = kTail;
};

constexpr Type kTypes[] = {
    {".jpg.jpeg.jpe.jfif.", is_jpeg, nullptr, jpeg_is_whole},
    {".png.apng.", is_png, png_end, nullptr},
    {".gif.", is_gif, gif_end, nullptr},
    {".tif.tiff.", is_tiff, nullptr, tiff_is_whole},
    {".mp4.m4v.m4a.mov.heic.heif.avif.", is_mp4, nullptr, mp4_is_whole},
    {".zip.docx.xlsx.pptx.odt.ods.odp.epub.jar.", is_zip, zip_end, nullptr, kZipTail},
    {".pdf.", is_pdf, pdf_end, nullptr},  // last: its mark may stand anywhere in the head
};

bool has_extension_of(const Type& type, std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == name.npos) return false;
  const std::string wanted = to_lower_ascii(name.substr(dot)) + '.';
  return type.extensions.find(wanted) != type.extensions.npos;
}

EndMark mark(bool present) { return present ? EndMark::Present : EndMark::Missing; }

}  // namespace

Result<EndMark> end_mark_of(std::string_view name, std::uint64_t size, const ReadAt& read) {
  std::string head(std::min<std::uint64_t>(size, kHead), '\0');
  auto got = read_fully(read, 0, std::as_writable_bytes(std::span(head)));
  if (!got) return std::unexpected(got.error());
  head.resize(*got);
  for (const Type& type : kTypes) {
    if (!type.begins(head)) continue;
    if (type.is_whole != nullptr) {
      auto whole = type.is_whole(size, read);
      if (!whole) return std::unexpected(whole.error());
      return mark(*whole);
    }
    auto tail = tail_of(size, type.tail, read);
    if (!tail) return std::unexpected(tail.error());
    return mark(type.ends(*tail));
  }
  const bool expected =
      std::ranges::any_of(kTypes, [&](const Type& type) { return has_extension_of(type, name); });
  return expected ? EndMark::Missing : EndMark::NotExpected;
}

}  // namespace millrace
