#include "agent/render/bitmap_vips.hpp"

#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <variant>
#include <vips/vips8>

#include "agent/render/bitmap.hpp"
#include "agent/render/bmp.hpp"
#include "agent/render/ico.hpp"
#include "agent/render/input.hpp"

namespace millrace::render {
namespace {

using vips::VImage;

void release(VipsImage*, gpointer bitmap) { delete static_cast<Bitmap*>(bitmap); }

// The image reads the bitmap's own memory and releases it when the last image made of it goes.
VImage to_image(Bitmap&& decoded) {
  auto bitmap = std::make_unique<Bitmap>(std::move(decoded));
  const VImage bare =
      VImage::new_from_memory(bitmap->bytes.data(), bitmap->bytes.size(), bitmap->width,
                              bitmap->height, bitmap->bands, VIPS_FORMAT_UCHAR);
  auto* const how = VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB);
  if (bitmap->across > 0 && bitmap->down > 0) {
    how->set("xres", bitmap->across)->set("yres", bitmap->down);
  }
  g_signal_connect(bare.get_image(), "postclose", G_CALLBACK(release), bitmap.release());
  return bare.copy(how);
}

std::expected<VImage, Refused> read_png(std::string_view png, std::uint64_t most_pixels) {
  VipsBlob* const blob = vips_blob_copy(png.data(), png.size());
  VImage image;
  auto* const how =
      VImage::option()->set("out", &image)->set("buffer", blob)->set("fail_on", VIPS_FAIL_ON_ERROR);
  vips_area_unref(VIPS_AREA(blob));
  VImage::call("pngload_buffer", how);
  const auto fits = check_pixels(static_cast<std::uint64_t>(image.width()),
                                 static_cast<std::uint64_t>(image.height()), most_pixels);
  if (!fits) return std::unexpected(fits.error());
  return image.copy_memory();
}

std::expected<VImage, Refused> decode(Decoder decoder, std::string_view file,
                                      std::uint64_t most_pixels) {
  if (decoder == Decoder::Bmp) {
    auto bitmap = decode_bmp(file, most_pixels);
    if (!bitmap) return std::unexpected(bitmap.error());
    return to_image(std::move(*bitmap));
  }
  auto picture = decode_ico(file, most_pixels);
  if (!picture) return std::unexpected(picture.error());
  if (const auto* png = std::get_if<PngInIcon>(&*picture)) return read_png(png->bytes, most_pixels);
  return to_image(std::move(std::get<Bitmap>(*picture)));
}

}  // namespace

std::expected<VImage, Refused> decode_into_vips(Decoder decoder, const std::string& path,
                                                std::uint64_t most_pixels) {
  try {
    return decode(decoder, read_whole(path), most_pixels);
  } catch (const std::bad_alloc&) {
    return std::unexpected(Refused{Code::TooLarge, "no memory for the file"});
  }
}

}  // namespace millrace::render
