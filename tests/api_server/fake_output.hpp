// The bytes that the stand-in API answers with: no picture, but begun and ended as the target
// format demands, and marked with the input that they were made from.
//
// Every output holds, once, the line
//   MILLRACE-FAKE input=<64 hex: SHA-256 of the input> target=<format> options=<16 hex>
// where options is the start of the SHA-256 of all other fields as sorted name=value lines. Around
// it stand: png (signature, IHDR, tEXt with the line, IDAT, IEND, correct CRCs), jpg (SOI, JFIF,
// comments, EOI), gif (header, comment extension, trailer), pdf (%PDF-1.4 ... %%EOF), webp and wav
// (RIFF with the right size), tiff (II*, empty directory), the ZIP family (one stored entry and an
// end record), avif heic mp4 (ftyp, free), jp2 and jxl (signature box, free), bmp, svg, xml, and
// plain text for everything else. Padding is made of dots and stands before the end mark.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace millrace::test {

using FormFields = std::map<std::string, std::string>;

// At least `least_bytes` long, otherwise as short as the format allows. Deterministic.
std::string make_fake_output(std::string_view input_sha256, std::string_view target,
                             const FormFields& options, std::size_t least_bytes = 0);

// The SHA-256 of the input that an output was made from; empty if `bytes` is no such output.
std::string input_of_fake_output(std::string_view bytes);

}  // namespace millrace::test
