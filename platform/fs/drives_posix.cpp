#include "platform/fs/drives.hpp"

namespace millrace {

std::optional<PersonalDrive> personal_drive_of(const std::filesystem::path&) {
  return std::nullopt;
}

}  // namespace millrace
