#include "agent/render/ico.hpp"

#include "tests/render/dib_maker.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::render;
using namespace millrace::test;
using namespace std::string_literals;

namespace {

constexpr std::uint64_t kManyPixels = 100'000;

// The second pixel of the upper row and the first of the lower one are not part of the icon.
const std::string kMask = "\x80\0\0\0\x40\0\0\0"s;
const std::string kMaskAlpha = "\xff\0\xff\0\xff\xff"s;

std::string rgba(const std::string& alpha) {
  std::string bytes;
  for (std::size_t i = 0; i < alpha.size(); ++i) {
    bytes += std::string(kRgb.substr(i * 3, 3)) + alpha[i];
  }
  return bytes;
}

std::string bytes_of(const IconPicture& picture) {
  const auto& bitmap = std::get<Bitmap>(picture);
  return {bitmap.bytes.begin(), bitmap.bytes.end()};
}

// A picture in an icon: its height counts the mask.
Dib pictured(unsigned depth, std::string pixels) {
  Dib dib{.height = 2 * kHeight, .depth = depth, .pixels = std::move(pixels)};
  if (depth <= 8) dib.palette.assign(kColours.begin(), kColours.end());
  return dib;
}

std::string pixels_with_alpha(std::uint32_t alpha) {
  return packed_rows(32, false, [=](std::uint32_t i) { return colour(i) | alpha << 24; });
}

// Only what stands before the pixels of a PNG.
std::string png_head(std::uint32_t width, std::uint32_t height, char depth, char colour_type) {
  const auto number = [](std::uint32_t value) {
    const std::string bytes = le32(value);
    return std::string(bytes.rbegin(), bytes.rend());
  };
  return "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"s + number(width) + number(height) + depth + colour_type +
         "\0\0\0crc!"s;
}

std::string one_byte_a_pixel(std::int32_t width, std::int32_t height) {
  return dib_of({.width = width,
                 .height = 2 * height,
                 .depth = 24,
                 .pixels = std::string(static_cast<std::size_t>((width * 3 + 3) / 4 * 4 * height) +
                                           static_cast<std::size_t>(4 * height),
                                       '\0')});
}

void refused(const std::string& icon, Code code, const char* message) {
  const auto picture = decode_ico(icon, kManyPixels);
  REQUIRE_FALSE(picture);
  CHECK(picture.error().code == code);
  CHECK(picture.error().message == message);
}

}  // namespace

TEST_CASE("pictures without alpha of their own get it from the mask") {
  const std::vector<Dib> dibs{
      pictured(4, packed_rows(4, false, place) + kMask),
      pictured(8, packed_rows(8, false, place) + kMask),
      pictured(16, packed_rows(16, false, [](auto i) { return narrowed(i, 5, 5, 5); }) + kMask),
      pictured(24, packed_rows(24, false, colour) + kMask),
      pictured(32, pixels_with_alpha(0) + kMask)};
  for (const Dib& dib : dibs) {
    INFO(dib.depth);
    const auto picture = decode_ico(ico_of({dib_of(dib)}), kManyPixels);
    REQUIRE(picture);
    CHECK(std::get<Bitmap>(*picture).width == kWidth);
    CHECK(std::get<Bitmap>(*picture).height == kHeight);
    CHECK(bytes_of(*picture) == rgba(kMaskAlpha));
  }
}

TEST_CASE("rows of a mask that are not filled up are read where nothing follows") {
  const std::string rows = packed_rows(24, false, colour);
  const auto picture = decode_ico(ico_of({dib_of(pictured(24, rows + "\x80\x40"))}), kManyPixels);
  REQUIRE(picture);
  CHECK(bytes_of(*picture) == rgba(kMaskAlpha));
  for (const char* mask : {"", "\x80", "\x80\x40\x01"}) {
    refused(ico_of({dib_of(pictured(24, rows + mask))}), Code::BrokenInput,
            "icon is cut off in its mask");
  }
}

TEST_CASE("a picture's own alpha counts more than the mask, which may then be missing") {
  for (const std::string& mask : {kMask, ""s}) {
    const std::string dib = dib_of(pictured(32, pixels_with_alpha(0x7f) + mask));
    const auto picture = decode_ico(ico_of({dib}), kManyPixels);
    REQUIRE(picture);
    CHECK(bytes_of(*picture) == rgba(std::string(6, '\x7f')));
  }
  refused(ico_of({dib_of(pictured(32, pixels_with_alpha(0)))}), Code::BrokenInput,
          "icon is cut off in its mask");
}

TEST_CASE("of an icon the largest picture is taken, and of those the deepest") {
  const std::string small = one_byte_a_pixel(2, 2);
  const std::string large = one_byte_a_pixel(9, 4);
  const std::string flat = dib_of(pictured(8, packed_rows(8, false, place) + kMask));
  const std::string deep = dib_of(pictured(32, pixels_with_alpha(0x7f) + kMask));
  for (const auto& pictures : {std::vector{small, large, deep}, std::vector{large, flat, small}}) {
    const auto picture = decode_ico(ico_of(pictures), kManyPixels);
    REQUIRE(picture);
    CHECK(std::get<Bitmap>(*picture).width == 9);
  }
  for (const auto& pictures : {std::vector{flat, deep}, std::vector{deep, flat}}) {
    CHECK(bytes_of(*decode_ico(ico_of(pictures), kManyPixels)) == rgba(std::string(6, '\x7f')));
  }
}

TEST_CASE("a PNG in an icon is handed on as it is") {
  const std::string png = png_head(256, 256, 8, 6);
  const std::string small = one_byte_a_pixel(2, 2);
  const std::string palette = png_head(kWidth, kHeight, 8, 3);
  for (const auto& pictures : {std::vector{png, small, palette}, std::vector{palette, png}}) {
    const std::string icon = ico_of(pictures);
    const auto picture = decode_ico(icon, kManyPixels);
    REQUIRE(picture);
    CHECK(std::get<PngInIcon>(*picture).bytes == png);
  }
  const std::string deeper = ico_of({palette, png_head(kWidth, kHeight, 16, 6)});
  CHECK(std::get<PngInIcon>(*decode_ico(deeper, kManyPixels)).bytes ==
        png_head(kWidth, kHeight, 16, 6));
}

TEST_CASE("what is no icon, or too large, is refused and named") {
  const std::string dib = dib_of(pictured(24, packed_rows(24, false, colour) + kMask));
  refused("BM", Code::BrokenInput, "not an icon");
  refused("\0\0\2\0"s + ico_of({dib}).substr(4), Code::UnsupportedRoute, "cursors are not read");
  refused(ico_of({}), Code::BrokenInput, "icon has no pictures");
  refused(ico_of({}).substr(0, 4) + "\xff\xff", Code::BrokenInput, "icon is cut off in its list");
  refused(ico_of({png_head(0, 1, 8, 6)}), Code::BrokenInput,
          "icon has a PNG whose header makes no sense");
  refused(ico_of({png_head(60'000, 60'000, 8, 6)}), Code::TooLarge,
          "picture has 3600000000 pixels, limit is 100000");
  refused(ico_of({png_head(0xffffffff, 0xffffffff, 8, 6)}), Code::TooLarge,
          "picture has more than 10000000 pixels a side");
  refused(ico_of({dib_of({.height = 3, .pixels = std::string(99, '\0')})}), Code::BrokenInput,
          "icon has a bitmap without room for its mask");
  refused(ico_of({dib_of({.height = -4, .pixels = std::string(99, '\0')})}), Code::BrokenInput,
          "icon has a bitmap without room for its mask");
  Dib packed = pictured(8, "\x03\x01\0\1" + std::string(99, '\0'));
  packed.compression = 1;
  refused(ico_of({dib_of(packed)}), Code::BrokenInput,
          "icon has a bitmap without room for its mask");
  CHECK(decode_ico(ico_of({dib}), 5).error().message == "picture has 6 pixels, limit is 5");
}

TEST_CASE("no prefix of an icon is taken for the whole, and no damage leads astray") {
  const std::vector<std::string> icons{
      ico_of({dib_of(pictured(4, packed_rows(4, false, place) + kMask))}),
      ico_of(
          {one_byte_a_pixel(1, 1), dib_of(pictured(24, packed_rows(24, false, colour) + kMask))}),
      ico_of({dib_of(pictured(32, pixels_with_alpha(0x7f) + kMask)), one_byte_a_pixel(1, 1)}),
      ico_of({png_head(16, 16, 8, 6), one_byte_a_pixel(2, 1)})};
  for (const std::string& whole : icons) {
    REQUIRE(decode_ico(whole, kManyPixels));
    each_damaged(whole, [&](std::string_view damaged, bool is_prefix) {
      const auto picture = decode_ico(damaged, kManyPixels);
      if (is_prefix && picture) FAIL("the first " << damaged.size() << " bytes are an icon");
      const auto* bitmap = picture ? std::get_if<Bitmap>(&*picture) : nullptr;
      if (bitmap == nullptr) return;
      const auto pixels =
          static_cast<std::uint64_t>(bitmap->width) * static_cast<std::uint64_t>(bitmap->height);
      if (pixels > kManyPixels || bitmap->bytes.size() != pixels * 4)
        FAIL("a picture of another size");
    });
  }
}
