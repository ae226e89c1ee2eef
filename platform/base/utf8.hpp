#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;  // in bytes; 0: no code point begins here
};

enum class Surrogates { Refuse, Allow };

// The first code point of `bytes`, which are not empty, as RFC 3629 has it: shortest form, at most
// U+10FFFF. Surrogates are no code points; names of Windows hold lone ones all the same.
CodePoint decode_utf8(std::string_view bytes, Surrogates surrogates = Surrogates::Refuse);

}  // namespace millrace
