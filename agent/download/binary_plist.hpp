// The binary property list, in which browsers of macOS write a .webloc. Pure.
// https://opensource.apple.com/source/CF/CF-1153.18/CFBinaryPList.c describes the format.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace {

constexpr std::string_view kBinaryPlistMark = "bplist0";

// The text that stands under `key` in the dictionary that the list is; nothing if these bytes are
// no such list. Whatever they hold, nothing outside of them is read.
std::optional<std::string> text_in_binary_plist(std::string_view bytes, std::string_view key);

}  // namespace millrace
