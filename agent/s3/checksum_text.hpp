#pragma once

#include <string>
#include <string_view>

namespace millrace {

// A digest in hex as S3's checksum headers have it: its bytes in Base64 (RFC 4648, 4).
std::string checksum_text(std::string_view hex);

}  // namespace millrace
