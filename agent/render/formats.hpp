// The formats that millrace-render knows. Pure tables; libvips is asked elsewhere what it offers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace millrace::render {

enum class Pages { One, Animation, Document };  // what more than one page in a file means
enum class Decoder { Libvips, Bmp, Ico };       // the others are our own

struct Format {
  std::string_view name;  // as in requests and options
  std::string_view content_type;
  const char* loader;  // operation of libvips; null: it does not read this
  const char* saver;   // null: not written
  Pages pages;
  bool alpha;                  // can be written with transparency
  bool cmyk;                   // can be written with four inks
  std::uint32_t largest_side;  // that can be written; 0: no limit to speak of
  Decoder decoder = Decoder::Libvips;
};

std::span<const Format> formats();

// By name or usual extension, in any case ("JPEG", "tif"); null for an unknown one.
const Format* find_format(std::string_view name);

// By the first bytes of a file; null where no format of ours begins so. `head` holds up to 4 KiB.
const Format* sniff(std::string_view head);
constexpr std::size_t kSniffBytes = 4096;

}  // namespace millrace::render
