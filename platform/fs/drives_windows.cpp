#include <windows.h>
#include <winnetwk.h>

#include <array>
#include <string>

#include "platform/base/long_path_windows.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/wide_windows.hpp"
#include "platform/fs/drives.hpp"
#include "platform/fs/windows_facts.hpp"

namespace millrace {
namespace {

using Text = std::array<wchar_t, 4096>;

// The share of a drive that is connected, or was and will be at the next log-on: a command prompt
// of an administrator does not have the drives of the same person's other programs.
std::string share_of(const std::wstring& drive) {
  Text text{};
  DWORD size = static_cast<DWORD>(text.size());
  const DWORD code = ::WNetGetConnectionW(drive.c_str(), text.data(), &size);
  if (code == NO_ERROR || code == ERROR_CONNECTION_UNAVAIL) return to_utf8(text.data());
  const std::wstring key = L"Network\\" + drive.substr(0, 1);
  size = sizeof text;
  if (::RegGetValueW(HKEY_CURRENT_USER, key.c_str(), L"RemotePath", RRF_RT_REG_SZ, nullptr,
                     text.data(), &size) != ERROR_SUCCESS) {
    return {};
  }
  return to_utf8(text.data());
}

std::string device_of(const std::wstring& drive) {
  Text text{};
  const DWORD size = ::QueryDosDeviceW(drive.c_str(), text.data(), static_cast<DWORD>(text.size()));
  return size == 0 ? std::string() : to_utf8(text.data());
}

}  // namespace

std::optional<PersonalDrive> personal_drive_of(const std::filesystem::path& path) {
  const std::filesystem::path whole = without_prefix(verbatim(path));
  const std::wstring drive = whole.root_name().native();
  if (drive.size() != 2 || drive[1] != L':') return std::nullopt;
  return personal_drive(path_text(whole),
                        {share_of(drive), device_of(drive),
                         ::GetDriveTypeW((drive + L"\\").c_str()) == DRIVE_REMOTE});
}

}  // namespace millrace
