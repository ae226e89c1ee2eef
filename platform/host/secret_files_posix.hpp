// Secrets as files that only their user may read: 0600, in `secrets/` beside the configuration.
// Used inside this unit only. The names have been checked (secret_name.hpp).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "platform/base/result.hpp"

namespace millrace::secret_files {

bool exists(const std::filesystem::path& config_dir, std::string_view name);
// Whole and durable, or the old one stays.
Result<void> store(const std::filesystem::path& config_dir, std::string_view name,
                   std::string_view value);
Result<std::string> read(const std::filesystem::path& config_dir, std::string_view name);
// Vanished if there is none.
Result<void> remove(const std::filesystem::path& config_dir, std::string_view name);

// Configuration: there is no secret of that name, here or elsewhere.
std::unexpected<Error> none(std::string_view name);
std::unexpected<Error> none_to_read(std::string_view name);  // and how to keep one

}  // namespace millrace::secret_files
