#include "agent/deliver/content_type.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

// https://www.iana.org/assignments/media-types/
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kContentTypes{{
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"csv", "text/csv"},
    {"gif", "image/gif"},
    {"heic", "image/heic"},
    {"html", "text/html"},
    {"ico", "image/vnd.microsoft.icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"json", "application/json"},
    {"jxl", "image/jxl"},
    {"mp4", "video/mp4"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"webp", "image/webp"},
}};

}  // namespace

std::string content_type_of(const std::string& key) {
  const std::string extension = to_lower_ascii(key.substr(key.rfind('.') + 1));
  const auto known = std::ranges::find(kContentTypes, extension,
                                       &std::pair<std::string_view, std::string_view>::first);
  return known == kContentTypes.end() ? std::string() : std::string(known->second);
}

}  // namespace millrace
