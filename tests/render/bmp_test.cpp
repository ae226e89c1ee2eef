#include "agent/render/bmp.hpp"

#include <optional>

#include "tests/render/dib_maker.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::render;
using namespace millrace::test;
using namespace std::string_literals;

namespace {

constexpr std::uint64_t kMany = 100'000;

std::string bytes_of(const Bitmap& bitmap) { return {bitmap.bytes.begin(), bitmap.bytes.end()}; }

const std::vector<std::uint32_t> kPalette(kColours.begin(), kColours.end());

struct Drawn {
  const char* name;
  Dib dib;
};

std::string plain(unsigned depth, bool top_down = false) {
  return packed_rows(depth, top_down, depth <= 8 ? place : colour);
}
std::string narrow(unsigned red, unsigned green, unsigned blue) {
  return packed_rows(16, false,
                     [=](std::uint32_t index) { return narrowed(index, red, green, blue); });
}

// Runs, pixels one by one, a move and the ends of rows; what is skipped is red, the first colour.
const std::string kRle8 = "\0\x03\x03\x04\0\0\0\0\0\x02\x01\0\x01\x01\x01\x02\0\x01"s;
const std::string kRle4 = "\x02\x34\0\0\0\x03\x01\x20\0\x01"s;

const std::vector<std::uint32_t> kMasks32{0xff000000, 0x00ff0000, 0x0000ff00};

const std::vector<Drawn> kAlike{
    {"core 4", {.header = 12, .depth = 4, .palette = kPalette, .pixels = plain(4)}},
    {"core 8", {.header = 12, .depth = 8, .palette = kPalette, .pixels = plain(8)}},
    {"core 24", {.header = 12, .pixels = plain(24)}},
    {"info 4", {.depth = 4, .palette = kPalette, .pixels = plain(4)}},
    {"info 8", {.depth = 8, .palette = kPalette, .pixels = plain(8)}},
    {"info 8 from the top",
     {.height = -kHeight, .depth = 8, .palette = kPalette, .pixels = plain(8, true)}},
    {"rle 8", {.depth = 8, .compression = 1, .palette = kPalette, .pixels = kRle8}},
    {"rle 4", {.depth = 4, .compression = 2, .palette = kPalette, .pixels = kRle4}},
    {"info 16", {.depth = 16, .pixels = narrow(5, 5, 5)}},
    {"info 16 5-6-5",
     {.depth = 16, .compression = 3, .masks = {0xf800, 0x7e0, 0x1f}, .pixels = narrow(5, 6, 5)}},
    {"info 24", {.pixels = plain(24)}},
    {"info 24 from the top", {.height = -kHeight, .pixels = plain(24, true)}},
    {"info 32", {.depth = 32, .pixels = plain(32)}},
    {"info 32 with masks",
     {.depth = 32,
      .compression = 3,
      .masks = kMasks32,
      .pixels = packed_rows(32, false, [](std::uint32_t i) { return colour(i) << 8; })}},
    {"info 32 with ten bits a colour",
     {.depth = 32,
      .compression = 3,
      .masks = {0x3ff00000, 0xffc00, 0x3ff},
      .pixels = packed_rows(32, false,
                            [](std::uint32_t i) {
                              const std::uint32_t full = colour(i);
                              return (full >> 16 & 255) << 22 | (full >> 8 & 255) << 12 |
                                     (full & 255) << 2;
                            })}},
    {"V2 16 5-6-5",
     {.header = 52,
      .depth = 16,
      .compression = 3,
      .masks = {0xf800, 0x7e0, 0x1f},
      .pixels = narrow(5, 6, 5)}},
    {"OS/2 24", {.header = 64, .pixels = plain(24)}},
    {"V4 24", {.header = 108, .pixels = plain(24)}},
    {"V5 8", {.header = 124, .depth = 8, .palette = kPalette, .pixels = plain(8)}},
    {"V5 32 whose masks are not in use",
     {.header = 124,
      .depth = 32,
      .masks = {1, 2, 4, 0xff000000},
      .pixels = packed_rows(32, false, [](std::uint32_t i) { return colour(i) | 0x80000000; })}},
};

// With a mask for alpha, in every header that can have one.
std::vector<Drawn> with_alpha(std::uint32_t top) {
  const std::vector<std::uint32_t> masks{0xff0000, 0xff00, 0xff, 0xff000000};
  const std::string pixels =
      packed_rows(32, false, [=](std::uint32_t i) { return colour(i) | top << 24; });
  std::vector<Drawn> rows;
  for (const unsigned header : {40U, 56U, 108U, 124U}) {
    const unsigned compression = header == 40 ? 6 : 3;
    rows.push_back({"alpha",
                    {.header = header,
                     .depth = 32,
                     .compression = compression,
                     .masks = masks,
                     .pixels = pixels}});
  }
  return rows;
}

void check_whole(const Bitmap& bitmap, std::uint64_t most) {
  const auto pixels =
      static_cast<std::uint64_t>(bitmap.width) * static_cast<std::uint64_t>(bitmap.height);
  if (pixels == 0 || pixels > most ||
      bitmap.bytes.size() != pixels * static_cast<std::uint64_t>(bitmap.bands)) {
    FAIL("a picture of " << pixels << " pixels has " << bitmap.bytes.size() << " bytes");
  }
}

std::string refusal(const Dib& dib, Code code, std::uint64_t most = kMany) {
  const auto refused = decode_bmp(bmp_of(dib), most);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == code);
  return refused.error().message;
}

}  // namespace

TEST_CASE("a bitmap of each header, depth and coding gives the same picture") {
  for (const Drawn& row : kAlike) {
    INFO(row.name);
    const auto bitmap = decode_bmp(bmp_of(row.dib), kMany);
    REQUIRE(bitmap);
    CHECK(bitmap->width == kWidth);
    CHECK(bitmap->height == kHeight);
    CHECK(bitmap->bands == 3);
    CHECK(bytes_of(*bitmap) == kRgb);
  }
}

TEST_CASE("one bit a pixel takes its two colours from the palette") {
  for (const unsigned header : {12U, 40U}) {
    const auto bitmap = decode_bmp(bmp_of({.header = header,
                                           .width = 9,
                                           .height = 1,
                                           .depth = 1,
                                           .palette = {0x102030, 0xfffefd},
                                           .pixels = "\x40\x80\0\0"s}),
                                   kMany);
    REQUIRE(bitmap);
    const std::string dark = "\x10\x20\x30";
    const std::string light = "\xff\xfe\xfd";
    CHECK(bytes_of(*bitmap) == dark + light + dark + dark + dark + dark + dark + dark + light);
  }
}

TEST_CASE("narrow colours are widened to the whole range") {
  const auto bitmap = decode_bmp(
      bmp_of({.width = 2, .height = 1, .depth = 16, .pixels = le16(0x4210) + le16(0x7fff)}), kMany);
  REQUIRE(bitmap);
  CHECK(bytes_of(*bitmap) == "\x84\x84\x84\xff\xff\xff");
}

TEST_CASE("alpha is taken where a mask says so and something is visible") {
  for (const std::uint32_t alpha : {0x80U, 0U}) {
    for (const Drawn& row : with_alpha(alpha)) {
      INFO(row.dib.header);
      const auto bitmap = decode_bmp(bmp_of(row.dib), kMany);
      REQUIRE(bitmap);
      REQUIRE(bitmap->bands == 4);
      std::string expected;
      for (std::size_t i = 0; i < kRgb.size(); i += 3) {
        expected += std::string(kRgb.substr(i, 3)) + (alpha == 0 ? '\xff' : '\x80');
      }
      CHECK(bytes_of(*bitmap) == expected);
    }
  }
}

TEST_CASE("the resolution of a bitmap is kept") {
  const auto bitmap = decode_bmp(bmp_of({.pixels = plain(24), .metre = 11811}), kMany);
  REQUIRE(bitmap);
  CHECK(bitmap->across == Approx(11.811));
  CHECK(bitmap->down == Approx(11.811));
  CHECK(decode_bmp(bmp_of({.pixels = plain(24)}), kMany)->across == 0);
}

TEST_CASE("a packed bitmap may end without a mark, leave out pixels, and overrun a row") {
  Dib dib{.depth = 8, .compression = 1, .palette = kPalette, .pixels = "\x03\x03\0\0\x03\x04"s};
  CHECK(decode_bmp(bmp_of(dib), kMany));
  dib.pixels = "\x09\x03\0\0\x04\x04\0\x01"s;
  CHECK(bytes_of(*decode_bmp(bmp_of(dib), kMany)) == std::string(9, '\0') + std::string(9, '\xff'));
  dib.pixels = "\0\x02\x02\x01\x01\x02\0\x01"s;
  const std::string red = "\xff\0\0"s;
  CHECK(bytes_of(*decode_bmp(bmp_of(dib), kMany)) == red + red + "\0\0\xff"s + red + red + red);
  dib.pixels = "\0\x01"s;
  CHECK(decode_bmp(bmp_of(dib), kMany));
}

TEST_CASE("what contradicts itself in a bitmap is refused and named") {
  const auto says = [](const Dib& dib, const char* word) {
    CHECK(refusal(dib, Code::BrokenInput).find(word) != std::string::npos);
  };
  says({.width = 0, .pixels = plain(24)}, "no width");
  says({.width = -3, .pixels = plain(24)}, "no width");
  says({.height = 0, .pixels = plain(24)}, "no height");
  says({.depth = 2, .pixels = plain(24)}, "2 bits a pixel");
  says({.depth = 24, .compression = 1, .pixels = kRle8}, "compression 1");
  says({.depth = 24, .compression = 3, .masks = kMasks32, .pixels = plain(24)}, "compression 3");
  says({.height = -2, .depth = 8, .compression = 1, .palette = kPalette, .pixels = kRle8},
       "top-down");
  says({.depth = 8, .palette = {0xff0000}, .pixels = plain(8)}, "palette lacks");
  says({.depth = 8, .compression = 1, .palette = {0xff0000}, .pixels = kRle8}, "palette lacks");
  says({.depth = 8, .pixels = plain(8)}, "no palette");
  says({.depth = 8, .compression = 1, .palette = kPalette, .pixels = "\0\0\0\0\x01\x01"s},
       "above its last row");
  says({.depth = 32, .compression = 3, .masks = {0, 0, 0}, .pixels = plain(32)}, "no colour masks");
  says({.depth = 32, .compression = 3, .masks = {5, 0xff00, 0xff0000}, .pixels = plain(32)},
       "no sense");
  says({.depth = 16, .compression = 3, .masks = {0xff0000, 0xff00, 0xff}, .pixels = plain(16)},
       "no sense");
  std::string in_header = bmp_of({.pixels = plain(24)});
  in_header.replace(10, 4, le32(53));
  CHECK(decode_bmp(in_header, kMany).error().message == "bitmap has pixels in its header");
  CHECK(decode_bmp("GIF89a", kMany).error().message == "not a bitmap");
}

TEST_CASE("variants that are not read are refused as such") {
  for (const unsigned compression : {4U, 5U}) {
    refusal({.depth = 24, .compression = compression, .pixels = plain(24)}, Code::UnsupportedRoute);
  }
  refusal({.header = 64, .depth = 24, .compression = 4}, Code::UnsupportedRoute);
  refusal({.header = 41, .pixels = plain(24)}, Code::UnsupportedRoute);
}

TEST_CASE("a bitmap that is too large is refused before memory is taken") {
  const Dib small{.pixels = plain(24)};
  CHECK(refusal(small, Code::TooLarge, 5) == "picture has 6 pixels, limit is 5");
  CHECK(decode_bmp(bmp_of(small), 6));
  const std::int32_t most = 0x7fffffff;
  for (const std::int32_t height : {most, -most, -most - 1}) {
    refusal({.width = most, .height = height, .pixels = plain(24)}, Code::TooLarge, ~0ULL);
  }
  // Within the limits by its header, but the bytes are not there.
  CHECK(refusal({.width = 9'999'999, .height = 9'999'999, .pixels = plain(24)}, Code::BrokenInput,
                ~0ULL) == "bitmap is cut off in its pixels");
}

TEST_CASE("no prefix of a bitmap is taken for the whole, and no damage leads astray") {
  std::vector<Drawn> rows = kAlike;
  for (Drawn& row : with_alpha(0x80)) rows.push_back(std::move(row));
  for (const Drawn& row : rows) {
    INFO(row.name);
    const std::string whole = bmp_of(row.dib);
    // What fills up the last row, and the mark that ends a complete picture, may be missing.
    const bool is_packed = row.dib.compression == 1 || row.dib.compression == 2;
    const std::size_t spare = is_packed ? 2 : (4 - (kWidth * row.dib.depth + 7) / 8 % 4) % 4;
    each_damaged(whole, [&](std::string_view damaged, bool is_prefix) {
      const auto bitmap = decode_bmp(damaged, kMany);
      if (bitmap) check_whole(*bitmap, kMany);
      if (!is_prefix || damaged.size() + spare >= whole.size()) return;
      if (bitmap || bitmap.error().code != Code::BrokenInput) {
        FAIL("the first " << damaged.size() << " bytes are taken for the whole");
      }
    });
  }
}
