// Writes PDF files that hold one picture a page (ISO 32000-1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace::render {

enum class PdfColour { Grey, Rgb, Cmyk };
enum class PdfCoding {
  Flate,  // raw samples, 8 bits each; compressed here
  Jpeg,   // a whole JPEG file, embedded as it is (DCTDecode)
};

struct PdfPicture {
  std::string_view bytes;
  PdfCoding coding = PdfCoding::Flate;
  PdfColour colour = PdfColour::Rgb;
  bool inverted = false;  // CMYK as Adobe writes it: 255 is no ink
  int width = 0;          // pixels
  int height = 0;
  double dpi = 72;  // gives the size of the page, at most 200 inches (annex C)
  int rotate = 0;   // degrees clockwise: 0, 90, 180, 270
};

// One file under way; pictures are written as they are added. One thread.
class PdfWriter {
 public:
  // Exists where there is such a file already.
  static Result<PdfWriter> create(const std::filesystem::path& path);
  Result<void> add_page(const PdfPicture& picture);
  Result<void> finish();  // without it the file is no PDF

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  explicit PdfWriter(std::FILE* file) : file_(file) {}

  void put(std::string_view bytes);
  void begin_object(std::size_t number);
  Result<void> check();

  std::unique_ptr<std::FILE, Closer> file_;
  std::uint64_t written_ = 0;
  std::vector<std::uint64_t> offsets_{0, 0, 0};  // by object number; 1 catalog, 2 page tree
  std::vector<std::size_t> pages_;
};

// What of a JPEG file a PDF must know.
struct JpegFacts {
  int width = 0;
  int height = 0;
  int components = 0;  // 1, 3 or 4
  bool adobe = false;  // has Adobe's marker: four components are stored inverted
};
// Nothing for a file that a PDF reader need not understand (lossless, arithmetic, 12 bits).
std::optional<JpegFacts> read_jpeg_facts(std::string_view jpeg);

// The same JPEG without comments and application data other than Adobe's and colour profiles.
std::string without_metadata(std::string_view jpeg);

}  // namespace millrace::render
