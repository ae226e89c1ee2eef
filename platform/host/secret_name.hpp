#pragma once

#include <string_view>

#include "platform/base/result.hpp"

namespace millrace {

// Configuration for a name that could be a path, or is none at all.
Result<void> check_secret_name(std::string_view name);

}  // namespace millrace
