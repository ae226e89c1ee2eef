#include "platform/base/permissions.hpp"

namespace millrace {

std::filesystem::perms permissions_of(const std::filesystem::path& path, std::error_code& problem) {
  return std::filesystem::status(path, problem).permissions();
}

}  // namespace millrace
