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

}  // namespace millrace
