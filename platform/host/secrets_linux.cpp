#include "platform/host/host.hpp"
#include "platform/host/secret_files_posix.hpp"
#include "platform/host/secret_name.hpp"

namespace millrace {

Result<std::string> read_secret(const std::filesystem::path& config_dir, std::string_view name) {
  if (auto good = check_secret_name(name); !good) return std::unexpected(good.error());
  if (!secret_files::exists(config_dir, name)) return secret_files::none_to_read(name);
  return secret_files::read(config_dir, name);
}

Result<void> store_secret(const std::filesystem::path& config_dir, std::string_view name,
                          std::string_view value) {
  if (auto good = check_secret_name(name); !good) return good;
  return secret_files::store(config_dir, name, value);
}

Result<void> remove_secret(const std::filesystem::path& config_dir, std::string_view name) {
  if (auto good = check_secret_name(name); !good) return good;
  auto removed = secret_files::remove(config_dir, name);
  if (!removed && removed.error().kind == ErrorKind::Vanished) return secret_files::none(name);
  return removed;
}

}  // namespace millrace
