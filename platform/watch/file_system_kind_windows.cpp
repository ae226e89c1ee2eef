#include <windows.h>

#include <array>
#include <string_view>

#include "platform/base/long_path_windows.hpp"
#include "platform/base/text.hpp"
#include "platform/base/wide_windows.hpp"
#include "platform/watch/file_system_kind_windows.hpp"
#include "platform/watch/root_identity.hpp"

namespace millrace {
namespace {

using enum FileSystemNature;
using enum ChangeEvents;

// `C:\`, `\\server\share\`, or the folder that a volume is mounted at, behind `\\?\`.
std::wstring volume_of(const std::wstring& path) {
  std::wstring root(path.size() + MAX_PATH, L'\0');
  if (!::GetVolumePathNameW(path.c_str(), root.data(), static_cast<DWORD>(root.size()))) return {};
  root.resize(std::wcslen(root.c_str()));
  return root;
}

unsigned drive_type_of(const std::wstring& volume) {
  const std::wstring plain = without_prefix(volume).native();
  return plain.starts_with(L"\\\\") && !plain.starts_with(L"\\\\?\\")
             ? DRIVE_REMOTE
             : ::GetDriveTypeW(plain.c_str());
}

}  // namespace

FileSystemKind kind_of_volume(unsigned drive_type, const std::string& name) {
  const std::string shown = name.empty() ? "unknown" : name;
  // Drives of WinFsp and Dokan: programs of users, behind which others write.
  const std::string lower = to_lower_ascii(name);
  if (lower.starts_with("fuse") || lower.starts_with("dokan") || lower.starts_with("winfsp"))
    return {Fuse, Partial, shown};
  if (drive_type == DRIVE_REMOTE) return {Network, Partial, "share (" + shown + ")"};
  return {Local, Complete, shown};
}

Result<FileSystemKind> file_system_kind(const std::filesystem::path& root) {
  if (!root_identity(root))
    return windows_failure(ErrorKind::Environment, "the folder is not there", ::GetLastError());
  const std::wstring volume = volume_of(verbatim(root));
  std::array<wchar_t, MAX_PATH + 1> name{};
  ::GetVolumeInformationW(volume.c_str(), nullptr, 0, nullptr, nullptr, nullptr, name.data(),
                          name.size());
  return kind_of_volume(drive_type_of(volume), name_text(name.data()));
}

Result<FileSystemNature> nature_of(const std::filesystem::path& root) {
  auto kind = file_system_kind(root);
  if (!kind) return std::unexpected(kind.error());
  return kind->nature;
}

}  // namespace millrace
