#include <windows.h>

#include <memory>

#include "platform/base/handle_windows.hpp"
#include "platform/base/long_path_windows.hpp"
#include "platform/base/native_path.hpp"
#include "platform/watch/root_identity.hpp"

namespace millrace {
namespace {

constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
constexpr DWORD kNameSurrogate = 0x20000000;  // IsReparseTagNameSurrogate(): it leads elsewhere

std::uint64_t joined(DWORD high, DWORD low) { return std::uint64_t{high} << 32 | low; }
std::uint64_t number_of(const FILETIME& time) {
  return joined(time.dwHighDateTime, time.dwLowDateTime);
}

struct CloseFind {
  using pointer = HANDLE;
  void operator()(HANDLE find) const {
    if (find != INVALID_HANDLE_VALUE) ::FindClose(find);
  }
};

std::error_code last_error() {
  return {static_cast<int>(::GetLastError()), std::system_category()};
}

PolledEntry entry_of(const WIN32_FIND_DATAW& found) {
  PolledEntry entry{name_text(found.cFileName), false, {}};
  const bool is_link = (found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
                       (found.dwReserved0 & kNameSurrogate) != 0;
  if (is_link) return entry;
  entry.is_directory = (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  if (entry.is_directory) return entry;
  std::uint64_t stamp = mix_into(0, joined(found.nFileSizeHigh, found.nFileSizeLow));
  stamp = mix_into(stamp, number_of(found.ftLastWriteTime));
  // The change time is not in a listing; a file that was renamed over this one has its own.
  entry.stamp = mix_into(stamp, number_of(found.ftCreationTime));
  return entry;
}

}  // namespace

std::optional<RootIdentity> root_identity(const std::filesystem::path& root) {
  const Handle directory(::CreateFileW(verbatim(root).c_str(), FILE_READ_ATTRIBUTES, kShareAll,
                                       nullptr, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS,
                                       nullptr));
  BY_HANDLE_FILE_INFORMATION info{};
  if (!directory || !::GetFileInformationByHandle(directory.get(), &info) ||
      (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0) {
    return std::nullopt;
  }
  return RootIdentity{info.dwVolumeSerialNumber, joined(info.nFileIndexHigh, info.nFileIndexLow)};
}

// A listing tells times and sizes too, so that no file is asked. std::filesystem is not used: that
// of mingw-w64 ends a listing early where a path is longer than 260 units, and says nothing.
std::error_code poll_directory(const std::filesystem::path& root, const std::string& name,
                               const std::function<void(PolledEntry)>& visit) {
  const auto directory = name.empty() ? root : root / native_path(name);
  WIN32_FIND_DATAW found{};
  const std::unique_ptr<HANDLE, CloseFind> listing(
      ::FindFirstFileExW((verbatim(directory) + L"\\*").c_str(), FindExInfoBasic, &found,
                         FindExSearchNameMatch, nullptr, FIND_FIRST_EX_LARGE_FETCH));
  if (listing.get() == INVALID_HANDLE_VALUE) return last_error();
  do {
    const std::wstring_view leaf(found.cFileName);
    if (leaf != L"." && leaf != L"..") visit(entry_of(found));
  } while (::FindNextFileW(listing.get(), &found));
  return ::GetLastError() == ERROR_NO_MORE_FILES ? std::error_code{} : last_error();
}

}  // namespace millrace
