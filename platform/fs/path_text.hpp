// Names and paths as text; nothing here touches the disk.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace {

constexpr std::size_t kMaxNameDepth = 64;  // parts of a relative name; stops directory loops

// Success if `name` is relative and can only lead downwards: parts divided by single `/`, none of
// them empty, `.` or `..`, no NUL, at most kMaxNameDepth parts. Input otherwise. All other bytes
// are allowed.
Result<void> check_relative_name(std::string_view name);

std::string_view parent_of(std::string_view name);  // "a/b" of "a/b/c"; "" of "c"
std::string_view leaf_of(std::string_view name);    // "c" of both
std::string join_name(std::string_view directory, std::string_view leaf);  // "" joins to the leaf
std::vector<std::string_view> split_name(std::string_view name);           // at each `/`

// `~` and `~/...` as a person writes them in settings; any other text is taken as it is.
std::filesystem::path expand_home(std::string_view text, const std::filesystem::path& home);
// The same with the home folder that the environment names (HOME, else USERPROFILE);
// Configuration if a `~` is there and no home folder is known.
Result<std::filesystem::path> expand_home(std::string_view text);

}  // namespace millrace
