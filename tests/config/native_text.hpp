// Paths as settings hold them.
#pragma once

#include <string>
#include <string_view>

#include "platform/base/native_path.hpp"

namespace millrace::test {

// `path` with the separators of this system.
inline std::string native_text(std::string_view path) {
  return path_text(native_path(path).make_preferred());
}

}  // namespace millrace::test
