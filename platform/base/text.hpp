// Small text helpers that several units need.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace millrace {

// A text that may come from anywhere (a file name, an answer of a server) made safe for one line
// of a log or a terminal: control characters, line ends, ANSI escapes, bidirectional overrides and
// bytes that are not UTF-8 become \xNN. A backslash becomes two where it is part of a name; on
// Windows it divides paths, and stays. Cut after `limit` bytes with "...".
std::string printable(std::string_view bytes, std::size_t limit = 2000);

bool is_valid_utf8(std::string_view bytes);

// ASCII only; other bytes are left alone.
std::string to_lower_ascii(std::string_view text);

// Edits (insert, drop, change, swap neighbours) that turn one word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace millrace
