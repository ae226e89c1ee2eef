#include <string_view>
#include <system_error>

#include "platform/base/advice.hpp"

namespace millrace {
namespace {

bool is_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

std::string said(std::string_view command, const std::filesystem::path& path) {
  return std::string(command) + " " + shell_text(path.native());
}

}  // namespace

std::string shell_text(const std::string& path) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,@%:=";
  if (!path.empty() && path.find_first_not_of(kPlain) == std::string::npos) return path;
  std::string text = "'";
  for (const char c : path) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string how_to_make_folder(const std::filesystem::path& folder) {
  return said("mkdir -p", folder);
}

std::string how_to_let_read(const std::filesystem::path& path) {
  const bool folder = is_folder(path);
  return std::string("give the user that runs the agent read ") +
         (folder ? "and search permission (" : "permission (") +
         said(folder ? "chmod u+rx" : "chmod u+r", path) + ")";
}

std::string how_to_let_write(const std::filesystem::path& folder) {
  return "give the user that runs the agent write permission (" +
         said("chown or chmod u+wx", folder) + ")";
}

std::string how_to_close(const std::filesystem::path& path) {
  return said(is_folder(path) ? "chmod 700" : "chmod 600", path);
}

std::string how_to_keep_from_change(const std::filesystem::path& file) {
  return said("chmod o-w", file);
}

std::string how_to_trust_more() { return {}; }

}  // namespace millrace
