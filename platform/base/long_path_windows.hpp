// Names and paths as the wide system calls take them, of any length and without loss.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

std::optional<std::wstring> wide_name(std::string_view name);  // to_utf16
std::string name_text(std::wstring_view name);                 // from_utf16

// The path made absolute, behind `\\?\`: it may be 32767 units long, and no part of it is taken for
// a device or cut at its end. Relative parts, `/`, and trailing dots and spaces of the given path
// are resolved first, as for any path that a person writes.
// https://learn.microsoft.com/windows/win32/fileio/maximum-file-path-limitation
std::wstring verbatim(const std::filesystem::path& path);
// The same path as people write it.
std::filesystem::path without_prefix(std::wstring_view path);

}  // namespace millrace
