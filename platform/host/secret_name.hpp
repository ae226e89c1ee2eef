#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "platform/base/result.hpp"

namespace millrace {

inline constexpr std::size_t kLongestSecret = 16 * 1024;  // bytes

// Configuration for a name that could be a path, or is none at all.
Result<void> check_secret_name(std::string_view name);
// Configuration, for a secret longer than kLongestSecret; `what` it is.
std::unexpected<Error> too_long(const std::string& what);

}  // namespace millrace
