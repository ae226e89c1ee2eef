// The Idempotency-Key of a conversion, so made that equal work has equal keys for ever, and that
// different work never has.
#pragma once

#include <string>
#include <string_view>

#include "agent/convert/converter.hpp"

namespace millrace {

// The first 32 hex digits of the SHA-256 of this text (every line ends with LF):
//   millrace-key 1
//   account=ACCOUNT
//   content=SHA-256 of the bytes in hex, or what names a link's content
//   target=TARGET
//   option NAME=VALUE          for each option, sorted by the bytes of its name
// In ACCOUNT, content, TARGET, NAME and VALUE the bytes `%`, `=`, LF and CR stand as %25, %3D, %0A
// and %0D, so that no two different requests share a text. The number is the format version.
std::string make_idempotency_key(std::string_view account, std::string_view content,
                                 std::string_view target, const ConvertOptions& options);

}  // namespace millrace
