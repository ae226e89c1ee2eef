// One mapping for every name that the world sends: templates, sources, bucket keys, manifests.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/job/candidate.hpp"

namespace millrace {

// Longest part of an output name in bytes. File systems allow 255; people and their tools hang
// things like ".part" or ".aux.xml" on it.
constexpr std::size_t kMaxPart = 240;
// Longest whole output name; beyond it (or too deep) its folders become one, named by their hash.
constexpr std::size_t kMaxOutputName = 900;

// Any bytes as one part of a path that Linux, Windows and macOS accept, the same on all of them:
// what is not allowed somewhere becomes %XX, and so does a `%` that would read as such an escape.
// Pure; different inputs give different outputs. Escaped are control characters, <>:"/|?*\, bytes
// that are not UTF-8, a last dot or space, the first letter of a device name of Windows
// (CON, NUL, COM1, COM¹, ... with any extension) and of names that our own temporaries use.
std::string escape_part(std::string_view bytes);
std::string unescape_part(std::string_view part);  // the inverse

// At most kMaxPart bytes: the end before the extension is replaced by `~` and a hash of all of it.
std::string shorten_part(std::string part);

// A name of escaped parts within all limits; unchanged if it is.
Name bounded_name(std::string_view name);

// escape_part for every `/`-divided part of a name, then bounded_name. Always a valid relative
// name, whatever came in.
Name portable_name(std::string_view name);

}  // namespace millrace
