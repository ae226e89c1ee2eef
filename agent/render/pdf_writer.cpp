#include "agent/render/pdf_writer.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace millrace::render {
namespace {

constexpr double kLongestSide = 14400;  // units of 1/72 inch

std::string to_text(double value) {
  std::array<char, 32> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.3f", value);
  return {text.data(), static_cast<std::size_t>(length)};
}

Result<std::string> deflate_all(std::string_view raw) {
  uLongf size = ::compressBound(raw.size());
  std::string packed(size, '\0');
  const int code = ::compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                               reinterpret_cast<const Bytef*>(raw.data()), raw.size(), 6);
  if (code != Z_OK) return fail(ErrorKind::Environment, "compress a page", code);
  packed.resize(size);
  return packed;
}

std::string_view colour_space(PdfColour colour) {
  constexpr std::array<std::string_view, 3> kNames{"/DeviceGray", "/DeviceRGB", "/DeviceCMYK"};
  return kNames[static_cast<std::size_t>(colour)];
}

struct PageSize {
  double width;
  double height;
};
PageSize page_size(const PdfPicture& picture) {
  PageSize size{picture.width * 72.0 / picture.dpi, picture.height * 72.0 / picture.dpi};
  const double shrink = std::min(1.0, kLongestSide / std::max(size.width, size.height));
  return {size.width * shrink, size.height * shrink};
}

std::string image_dictionary(const PdfPicture& picture, std::size_t length) {
  std::string text = "<</Type/XObject/Subtype/Image/Width " + std::to_string(picture.width) +
                     "/Height " + std::to_string(picture.height) + "/BitsPerComponent 8/ColorSpace";
  text += colour_space(picture.colour);
  if (picture.inverted) text += "/Decode[1 0 1 0 1 0 1 0]";
  text += picture.coding == PdfCoding::Jpeg ? "/Filter/DCTDecode" : "/Filter/FlateDecode";
  return text + "/Length " + std::to_string(length) + ">>\nstream\n";
}

struct Segment {
  unsigned char marker;
  std::size_t begin;  // of the 0xff
  std::string_view body;
};

// The next segment of a JPEG at `at` (ITU T.81, B.1.1); none at the scan or where it is damaged.
std::optional<Segment> segment_at(std::string_view jpeg, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(jpeg[i]); };
  while (at + 1 < jpeg.size() && byte(at) == 0xff && byte(at + 1) == 0xff) ++at;  // fill bytes
  if (at + 4 > jpeg.size() || byte(at) != 0xff || byte(at + 1) == 0xda) return std::nullopt;
  const std::size_t length = byte(at + 2) * 256U + byte(at + 3);
  if (length < 2 || at + 2 + length > jpeg.size()) return std::nullopt;
  return Segment{byte(at + 1), at, jpeg.substr(at + 4, length - 2)};
}

std::size_t end_of(const Segment& segment) { return segment.begin + 4 + segment.body.size(); }

bool is_frame(unsigned char marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

}  // namespace

Result<PdfWriter> PdfWriter::create(const std::filesystem::path& path) {
  std::FILE* const file = std::fopen(path.c_str(), "wbxe");
  if (file == nullptr) {
    return fail(errno == EEXIST ? ErrorKind::Exists : ErrorKind::Environment, "create the output",
                errno);
  }
  PdfWriter writer(file);
  // The second line has bytes above 127, so that a transfer program takes the file for binary.
  writer.put("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n");
  return writer;
}

void PdfWriter::put(std::string_view bytes) {
  written_ += std::fwrite(bytes.data(), 1, bytes.size(), file_.get());
}

void PdfWriter::begin_object(std::size_t number) {
  offsets_[number] = written_;
  put(std::to_string(number) + " 0 obj\n");
}

Result<void> PdfWriter::check() {
  if (std::ferror(file_.get())) return fail(ErrorKind::Environment, "write the output", errno);
  return {};
}

Result<void> PdfWriter::add_page(const PdfPicture& picture) {
  std::string packed;
  std::string_view stream = picture.bytes;
  if (picture.coding == PdfCoding::Flate) {
    auto done = deflate_all(picture.bytes);
    if (!done) return std::unexpected(done.error());
    packed = std::move(*done);
    stream = packed;
  }
  const std::size_t page = offsets_.size();
  offsets_.resize(page + 3);
  pages_.push_back(page);
  const auto [width, height] = page_size(picture);

  begin_object(page);
  put("<</Type/Page/Parent 2 0 R/MediaBox[0 0 " + to_text(width) + " " + to_text(height) +
      "]/Rotate " + std::to_string(picture.rotate) + "/Contents " + std::to_string(page + 1) +
      " 0 R/Resources<</XObject<</P " + std::to_string(page + 2) + " 0 R>>>>>>\nendobj\n");
  const std::string draw = to_text(width) + " 0 0 " + to_text(height) + " 0 0 cm /P Do";
  begin_object(page + 1);
  put("<</Length " + std::to_string(draw.size()) + ">>\nstream\n" + draw + "\nendstream\nendobj\n");
  begin_object(page + 2);
  put(image_dictionary(picture, stream.size()));
  put(stream);
  put("\nendstream\nendobj\n");
  return check();
}

Result<void> PdfWriter::finish() {
  begin_object(1);
  put("<</Type/Catalog/Pages 2 0 R>>\nendobj\n");
  begin_object(2);
  put("<</Type/Pages/Count " + std::to_string(pages_.size()) + "/Kids[");
  for (const std::size_t page : pages_) put(std::to_string(page) + " 0 R ");
  put("]>>\nendobj\n");
  const std::uint64_t table = written_;
  put("xref\n0 " + std::to_string(offsets_.size()) + "\n0000000000 65535 f \n");
  for (std::size_t number = 1; number < offsets_.size(); ++number) {
    std::array<char, 32> row{};  // 20 bytes, 7.5.4
    std::snprintf(row.data(), row.size(), "%010llu 00000 n \n",
                  static_cast<unsigned long long>(offsets_[number]));
    put(row.data());
  }
  put("trailer\n<</Size " + std::to_string(offsets_.size()) + "/Root 1 0 R>>\nstartxref\n" +
      std::to_string(table) + "\n%%EOF\n");
  if (std::fflush(file_.get()) != 0) return fail(ErrorKind::Environment, "write the output", errno);
  return check();
}

std::optional<JpegFacts> read_jpeg_facts(std::string_view jpeg) {
  JpegFacts facts;
  if (!jpeg.starts_with("\xff\xd8")) return std::nullopt;
  std::size_t at = 2;
  while (const auto segment = segment_at(jpeg, at)) {
    at = end_of(*segment);
    if (segment->marker == 0xee && segment->body.starts_with("Adobe")) facts.adobe = true;
    if (!is_frame(segment->marker)) continue;
    if (segment->marker > 0xc2 || segment->body.size() < 6 || segment->body[0] != 8) {
      return std::nullopt;
    }
    const auto two = [&](std::size_t i) {
      return static_cast<unsigned char>(segment->body[i]) * 256 +
             static_cast<unsigned char>(segment->body[i + 1]);
    };
    facts.height = two(1);
    facts.width = two(3);
    facts.components = static_cast<unsigned char>(segment->body[5]);
  }
  const bool usable = facts.components == 1 || facts.components == 3 || facts.components == 4;
  if (!usable || facts.width == 0 || facts.height == 0) return std::nullopt;
  return facts;
}

std::string without_metadata(std::string_view jpeg) {
  std::string kept(jpeg.substr(0, 2));
  std::size_t at = 2;
  while (const auto segment = segment_at(jpeg, at)) {
    const bool application = segment->marker >= 0xe1 && segment->marker <= 0xef;
    const bool needed = segment->marker == 0xee ||
                        (segment->marker == 0xe2 && segment->body.starts_with("ICC_PROFILE"));
    const bool comment = segment->marker == 0xfe;
    if (!comment && (!application || needed)) {
      kept += jpeg.substr(segment->begin, end_of(*segment) - segment->begin);
    }
    at = end_of(*segment);
  }
  return kept += jpeg.substr(std::min(at, jpeg.size()));
}

}  // namespace millrace::render
