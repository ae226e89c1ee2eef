#include "platform/host/secret_name.hpp"

namespace millrace {

Result<void> check_secret_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= 64 &&
                    name.find_first_not_of(
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789_-") == std::string_view::npos;
  if (good) return {};
  return fail(ErrorKind::Configuration, "a secret's name has 1 to 64 letters, digits, `-` or `_`");
}

std::unexpected<Error> too_long(const std::string& what) {
  return fail(ErrorKind::Configuration,
              what + " is longer than " + std::to_string(kLongestSecret) + " bytes");
}

}  // namespace millrace
