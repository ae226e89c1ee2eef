#include "agent/watch/end_mark.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

using namespace std::string_literals;

EndMark mark_of(const std::string& name, const std::string& bytes) {
  const ReadAt read = [&](std::uint64_t offset, std::span<std::byte> into) -> Result<std::size_t> {
    if (offset >= bytes.size()) return 0;
    const auto count = std::min<std::size_t>(into.size(), bytes.size() - offset);
    std::memcpy(into.data(), bytes.data() + offset, count);
    return count;
  };
  return end_mark_of(name, bytes.size(), read).value();
}

std::string box(const std::string& type, const std::string& content) {
  const auto size = static_cast<char>(8 + content.size());
  return "\0\0\0"s + size + type + content;
}

// One strip of four bytes at offset 8, one directory behind it.
const std::string kTiff = "II*\0\x0c\0\0\0DATA"s + "\x02\0"s +
                          "\x11\x01\x04\0\x01\0\0\0\x08\0\0\0"s +
                          "\x17\x01\x04\0\x01\0\0\0\x04\0\0\0"s + "\0\0\0\0"s;
const std::string kPadding(5000, 'p');

struct Ending {
  const char* name;
  std::string whole;
};

std::vector<Ending> rows() {
  return {{"a.jpg", "\xFF\xD8\xFF\xDA\0\2"s + kPadding + "\xFF\xD9"s},
          {"a.png", "\x89PNG\r\n\x1A\n"s + kPadding + "\0\0\0\0IEND\xAE\x42\x60\x82"s},
          {"a.gif", "GIF89a"s + kPadding + ";"},
          {"a.pdf", "%PDF-1.7\n" + kPadding + "\n%%EOF"},
          {"a.docx", "PK\3\4"s + kPadding + "PK\5\6"s + std::string(18, '\0')},
          {"a.tif", kTiff},
          {"a.mp4", box("ftyp", "isom") + box("moov", "xx") + box("mdat", "data")}};
}

TEST_CASE("a whole file has its end mark, a cut one has not, whatever its name says [E13]") {
  const auto index = GENERATE(range(0, 7));
  const Ending row = rows()[static_cast<std::size_t>(index)];
  CAPTURE(row.name);
  CHECK(mark_of(row.name, row.whole) == EndMark::Present);
  CHECK(mark_of("unnamed", row.whole) == EndMark::Present);
  CHECK(mark_of(row.name, row.whole.substr(0, row.whole.size() - 7)) == EndMark::Missing);
  CHECK(mark_of(row.name, std::string(5000, '\0')) == EndMark::Missing);
  CHECK(mark_of(row.name, "") == EndMark::Missing);
}

TEST_CASE("padding and trailers behind the end are allowed") {
  CHECK(mark_of("a.jpg", "\xFF\xD8\xFF\xDA\0\2..\xFF\xD9"s + std::string(100, '\0')) ==
        EndMark::Present);
  CHECK(mark_of("a.gif", "GIF89a..;\0\0"s) == EndMark::Present);
  CHECK(mark_of("a.zip", "PK\5\6"s + std::string(16, '\0') + "\x03\0abc"s) == EndMark::Present);
}

TEST_CASE("the end of a picture inside a JPEG's metadata is not the end of the JPEG [A2]") {
  const std::string thumbnail = "\xFF\xD8\xFF\xDA\0\2..\xFF\xD9"s;
  const std::string head = "\xFF\xD8\xFF\xE1\0\x0C"s + thumbnail;
  CHECK(mark_of("a.jpg", head) == EndMark::Missing);
  CHECK(mark_of("a.jpg", head + "\xFF\xDA\0\2picture"s) == EndMark::Missing);
  CHECK(mark_of("a.jpg", head + "\xFF\xDA\0\2picture\xFF\xD9"s) == EndMark::Present);
}

TEST_CASE("a TIFF whose first directory is still to be written is not whole [A4]") {
  CHECK(mark_of("a.tif", "II*\0\0\0\0\0DATA"s) == EndMark::Missing);
}

TEST_CASE("other types have no mark") {
  CHECK(mark_of("a.txt", "hello") == EndMark::NotExpected);
  CHECK(mark_of("a", "") == EndMark::NotExpected);
}

}  // namespace
}  // namespace millrace
