// The user's own folders and files. Used inside this unit only.
#pragma once

#include <filesystem>
#include <string_view>

#include "platform/base/result.hpp"

namespace millrace {

std::filesystem::path home_folder();

// `WHAT PATH: text of the system`, Environment, from errno.
std::unexpected<Error> system_error(std::string_view what, const std::filesystem::path& path);

// A folder that is ours alone. A name that somebody else made first in a shared place is refused.
Result<void> make_private(const std::filesystem::path& folder);

}  // namespace millrace
