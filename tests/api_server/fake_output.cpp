#include "tests/api_server/fake_output.hpp"

#include <array>
#include <cstdint>
#include <vector>

#include "platform/base/sha256.hpp"

namespace millrace::test {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

constexpr std::string_view kMark = "MILLRACE-FAKE input=";

template <typename T>
std::string big_endian(T value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

template <typename T>
std::string little_endian(T value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

std::uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> rows{};
    for (std::uint32_t i = 0; i < rows.size(); ++i) {
      std::uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xEDB88320u ^ c >> 1 : c >> 1;
      rows[i] = c;
    }
    return rows;
  }();
  std::uint32_t c = 0xFFFFFFFFu;
  for (const char b : bytes) c = table[(c ^ static_cast<unsigned char>(b)) & 0xFF] ^ c >> 8;
  return ~c;
}

std::string png_chunk(std::string_view type, std::string_view data) {
  const std::string body = std::string(type) + std::string(data);
  return big_endian(data.size(), 4) + body + big_endian(crc32(body), 4);
}

std::string png(const std::string& text) {
  // One grey pixel: zlib header, a stored block of two bytes, Adler-32.
  const auto idat = "\x78\x01\x01\x02\x00\xfd\xff\x00\x80\x00\x82\x00\x81"sv;
  return "\x89PNG\r\n\x1a\n"s +
         png_chunk("IHDR", "\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00"sv) +
         png_chunk("tEXt", "Comment\0"s + text) + png_chunk("IDAT", idat) + png_chunk("IEND", "");
}

std::string jpg(const std::string& text) {
  std::string out = "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"s;
  for (std::size_t at = 0; at < text.size(); at += 65000) {
    const std::string part = text.substr(at, 65000);
    out += "\xff\xfe"s + big_endian(part.size() + 2, 2) + part;
  }
  return out + "\xff\xd9";
}

std::string gif(const std::string& text) {
  std::string out = "GIF89a\x01\x00\x01\x00\x00\x00\x00!\xfe"s;
  for (std::size_t at = 0; at < text.size(); at += 255) {
    const std::string part = text.substr(at, 255);
    out += static_cast<char>(part.size()) + part;
  }
  return out + "\0,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00;"s;
}

std::string pdf(const std::string& text) {
  return "%PDF-1.4\n%" + text + "\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";
}

std::string riff(std::string_view form, std::string text) {
  if (text.size() % 2 != 0) text += '.';
  const std::string body = std::string(form) + "MILL" + little_endian(text.size(), 4) + text;
  return "RIFF" + little_endian(body.size(), 4) + body;
}
std::string webp(const std::string& text) { return riff("WEBP", text); }
std::string wav(const std::string& text) { return riff("WAVE", text); }

std::string tiff(const std::string& text) { return "II*\0\x08\0\0\0\0\0\0\0\0\0"s + text; }

std::string zip(const std::string& text) {
  const std::string name = "fake.txt";
  const std::string common = "\0\0\0\0\0\0\0\0"s + little_endian(crc32(text), 4) +
                             little_endian(text.size(), 4) + little_endian(text.size(), 4) +
                             little_endian(name.size(), 2) + "\0\0"s;
  const std::string local = "PK\x03\x04\x14\0"s + common + name + text;
  const std::string central =
      "PK\x01\x02\x14\0\x14\0"s + common + std::string(12, '\0') + std::string(2, '\0') + name;
  return local + central + "PK\x05\x06\0\0\0\0\x01\0\x01\0"s + little_endian(central.size(), 4) +
         little_endian(local.size(), 4) + "\0\0"s;
}

std::string box(std::string_view type, std::string_view data) {
  return big_endian(data.size() + 8, 4) + std::string(type) + std::string(data);
}
std::string avif(const std::string& t) {
  return box("ftyp", "avif\0\0\0\0avifmif1"sv) + box("free", t);
}
std::string heic(const std::string& t) {
  return box("ftyp", "heic\0\0\0\0mif1heic"sv) + box("free", t);
}
std::string mp4(const std::string& t) {
  return box("ftyp", "isom\0\0\2\0isomiso2"sv) + box("free", t);
}
std::string jp2(const std::string& t) {
  return box("jP  ", "\r\n\x87\n"sv) + box("ftyp", "jp2 \0\0\0\0jp2 "sv) + box("free", t);
}
std::string jxl(const std::string& t) {
  return box("JXL ", "\r\n\x87\n"sv) + box("ftyp", "jxl \0\0\0\0jxl "sv) + box("free", t);
}
std::string bmp(const std::string& text) {
  return "BM" + little_endian(text.size() + 14, 4) + "\0\0\0\0\x0e\0\0\0"s + text;
}
std::string svg(const std::string& t) {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\"><!--" + t + "--></svg>\n";
}
std::string xml(const std::string& t) { return "<?xml version=\"1.0\"?><fake>" + t + "</fake>\n"; }
std::string plain(const std::string& text) { return text + "\n"; }

struct Format {
  std::string_view target;
  std::string (*make)(const std::string& text);
};
constexpr auto kFormats = std::to_array<Format>(
    {{"png", png},   {"jpg", jpg},   {"jpeg", jpg}, {"gif", gif}, {"pdf", pdf},  {"webp", webp},
     {"wav", wav},   {"tiff", tiff}, {"tif", tiff}, {"zip", zip}, {"docx", zip}, {"xlsx", zip},
     {"pptx", zip},  {"odt", zip},   {"ods", zip},  {"odp", zip}, {"epub", zip}, {"avif", avif},
     {"heic", heic}, {"heif", heic}, {"mp4", mp4},  {"jp2", jp2}, {"jxl", jxl},  {"bmp", bmp},
     {"svg", svg},   {"xml", xml}});

}  // namespace

std::string make_fake_output(std::string_view input_sha256, std::string_view target,
                             const FormFields& options, std::size_t least_bytes) {
  std::string listed;
  for (const auto& [name, value] : options) listed += name + '=' + value + '\n';
  std::string text = std::string(kMark) + std::string(input_sha256) +
                     " target=" + std::string(target) +
                     " options=" + to_hex(sha256(listed)).substr(0, 16) + '\n';
  if (text.size() < least_bytes) text.append(least_bytes - text.size(), '.');
  for (const Format& format : kFormats) {
    if (format.target == target) return format.make(text);
  }
  return plain(text);
}

std::string input_of_fake_output(std::string_view bytes) {
  const auto at = bytes.find(kMark);
  if (at == std::string_view::npos || bytes.size() < at + kMark.size() + 64) return {};
  return std::string(bytes.substr(at + kMark.size(), 64));
}

}  // namespace millrace::test
