#include "platform/base/own_program_macos.hpp"

#include <mach-o/dyld.h>

#include <cstdint>
#include <string>
#include <system_error>

namespace millrace {

std::filesystem::path own_program() {
  std::uint32_t size = 0;
  _NSGetExecutablePath(nullptr, &size);  // says how much it needs, the final zero included
  std::string text(size, '\0');
  if (_NSGetExecutablePath(text.data(), &size) != 0) return {};
  std::error_code unknown;
  return std::filesystem::canonical(text.c_str(), unknown);
}

}  // namespace millrace
