#include "platform/host/macos_folders.hpp"

namespace millrace {

MacosFolders macos_folders(const std::filesystem::path& home) {
  const auto own = home / "Library" / "Application Support" / "Millrace";
  return {own / "config.toml", own / "state"};
}

}  // namespace millrace
