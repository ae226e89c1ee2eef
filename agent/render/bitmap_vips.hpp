// From our own decoders to libvips.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "agent/render/formats.hpp"
#include "agent/render/protocol.hpp"

namespace vips {
class VImage;
}

namespace millrace::render {

// Decodes the file at `path` to its last pixel; the picture lies in memory and can be read in any
// order. `decoder` is one of our own. Refused as by decode_bmp and decode_ico, TooLarge also where
// memory is short for the file; throws vips::VError where libvips cannot decode the PNG in an icon.
std::expected<vips::VImage, Refused> decode_into_vips(Decoder decoder, const std::string& path,
                                                      std::uint64_t most_pixels);

}  // namespace millrace::render
