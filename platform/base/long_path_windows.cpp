#include "platform/base/long_path_windows.hpp"

#include <windows.h>

#include "platform/base/utf16.hpp"

namespace millrace {
namespace {

constexpr std::wstring_view kPrefix = L"\\\\?\\";
constexpr std::wstring_view kDevicePrefix = L"\\\\.\\";
constexpr std::wstring_view kSharePrefix = L"\\\\?\\UNC\\";

bool is_verbatim(std::wstring_view path) {
  return path.starts_with(kPrefix) || path.starts_with(kDevicePrefix);
}

std::wstring absolute(const std::wstring& path) {
  std::wstring full(MAX_PATH, L'\0');
  for (;;) {
    const DWORD length =
        ::GetFullPathNameW(path.c_str(), static_cast<DWORD>(full.size()), full.data(), nullptr);
    if (length == 0) return path;
    const bool fits = length < full.size();  // else it is the size that would do
    full.resize(length);
    if (fits) return full;
  }
}

}  // namespace

std::optional<std::wstring> wide_name(std::string_view name) {
  const auto units = to_utf16(name);
  if (!units) return std::nullopt;
  return std::wstring(units->begin(), units->end());
}

std::string name_text(std::wstring_view name) {
  return from_utf16(std::u16string(name.begin(), name.end()));
}

std::wstring verbatim(const std::filesystem::path& path) {
  if (is_verbatim(path.native())) return path.native();
  const std::wstring full = absolute(path.native());
  if (is_verbatim(full)) return full;
  if (full.starts_with(L"\\\\")) return std::wstring(kSharePrefix).append(full.substr(2));
  return std::wstring(kPrefix).append(full);
}

std::filesystem::path without_prefix(std::wstring_view path) {
  if (path.starts_with(kSharePrefix)) {
    return std::wstring(L"\\\\").append(path.substr(kSharePrefix.size()));
  }
  const bool is_drive = path.starts_with(kPrefix) && path.substr(5).starts_with(L":");
  return is_drive ? path.substr(kPrefix.size()) : path;
}

}  // namespace millrace
