// UTF-16, as Windows has its names, and UTF-8, as everything else here has them; without loss.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace {

// Windows takes any 16-bit units as a name, so also half of a surrogate pair: that one becomes the
// three bytes it would have as a code point (WTF-8, https://simonsapin.github.io/wtf-8/). Such a
// text is no valid UTF-8 and is shown escaped, as are names of arbitrary bytes on Linux. Two names
// never give one text, nor two texts one name.
std::string from_utf16(std::u16string_view units);

// The inverse; nothing for a text that from_utf16 never gives.
std::optional<std::u16string> to_utf16(std::string_view text);

}  // namespace millrace
