// Paths from text and back. The conversions of std::filesystem::path itself take the text to be in
// the system's old code page on Windows, or throw; nothing else in the tree uses them for names
// that are not plain ASCII.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace millrace {

// `text` is UTF-8 (as from_utf16 gives it) on Windows and any bytes elsewhere. What is no such text
// becomes U+FFFD, a name that nothing has.
std::filesystem::path native_path(std::string_view text);

// The inverse: parts divided as the system divides them.
std::string path_text(const std::filesystem::path& path);
std::string generic_path_text(const std::filesystem::path& path);  // parts divided by `/`

// Where relative paths begin; empty where that folder was removed meanwhile (relative paths then
// stay relative, and nothing is found there).
std::filesystem::path current_folder();

// A path as a person writes it, made absolute: a relative one begins at `base`. `.` and `..` are
// resolved as text, and no separator is left at the end. Shares of Windows (`\\server\share`) stay
// what they are, as they do not in std::filesystem of GCC.
std::filesystem::path full_path(const std::filesystem::path& path,
                                const std::filesystem::path& base);

}  // namespace millrace
