#include "platform/base/native_path.hpp"

#include "platform/base/utf16.hpp"

namespace millrace {
namespace {

// Which of each pair is called depends on what a path is made of here.
[[maybe_unused]] std::string to_text(const std::string& native) { return native; }
[[maybe_unused]] std::string to_text(const std::wstring& native) {
  return from_utf16(std::u16string(native.begin(), native.end()));
}

[[maybe_unused]] void assign(std::string& native, std::string_view text) { native = text; }
[[maybe_unused]] void assign(std::wstring& native, std::string_view text) {
  const auto units = to_utf16(text).value_or(u"\uFFFD");
  native.assign(units.begin(), units.end());
}

namespace fs = std::filesystem;

bool names_share(const fs::path& path) {
  constexpr auto kSeparator = fs::path::preferred_separator;
  const auto& text = path.native();
  const auto divides = [](auto c) { return c == '/' || c == kSeparator; };
  return kSeparator == '\\' && text.size() > 2 && divides(text[0]) && divides(text[1]);
}

fs::path normal(const fs::path& path) {
  const fs::path found = path.lexically_normal();
  return found.has_filename() ? found : found.parent_path();
}

}  // namespace

std::filesystem::path native_path(std::string_view text) {
  std::filesystem::path::string_type native;
  assign(native, text);
  return std::filesystem::path(std::move(native));
}

std::string path_text(const std::filesystem::path& path) { return to_text(path.native()); }

std::string generic_path_text(const std::filesystem::path& path) {
  return to_text(path.generic_string<std::filesystem::path::value_type>());
}

std::filesystem::path current_folder() {
  std::error_code ignored;
  return fs::current_path(ignored);
}

std::filesystem::path full_path(const std::filesystem::path& path,
                                const std::filesystem::path& base) {
  const fs::path full = path.is_relative() && !names_share(path) ? base / path : path;
  if (!names_share(full)) return normal(full);
  // Behind its first separator it is a path like any other.
  fs::path::string_type text(1, fs::path::preferred_separator);
  text += normal(full.native().substr(1)).native();
  return text;
}

}  // namespace millrace
