#include "platform/fs/windows_facts.hpp"

#include <algorithm>
#include <string>

#include "platform/base/text.hpp"
#include "platform/base/utf16.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

constexpr std::uint32_t kDirectory = 0x10;
constexpr std::uint32_t kDevice = 0x40;
constexpr std::uint32_t kReparsePoint = 0x400;
constexpr std::uint32_t kOffline = 0x1000;
constexpr std::uint32_t kRecallOnOpen = 0x40000;
constexpr std::uint32_t kRecallOnDataAccess = 0x400000;

constexpr std::uint32_t kNameSurrogate = 0x20000000;  // IsReparseTagNameSurrogate()
// Unix sockets, FIFOs and devices of the Windows Subsystem for Linux, and the links to store
// applications: neither links nor files with bytes.
constexpr std::uint32_t kNoFiles[] = {0x80000023, 0x80000024, 0x80000025, 0x80000026, 0x8000001B};

constexpr std::int64_t kUnixEpoch = 116'444'736'000'000'000;  // 1970-01-01 as FILETIME

constexpr std::size_t kLongestPart = 255;  // in 16-bit units, on every file system of Windows
constexpr std::string_view kForbidden = "\\:*?\"<>|";

// What `subst` made a drive of: a folder of a drive, `\??\C:\work`, or of a share,
// `\??\UNC\nas\scans`. Every other device is a disk or the redirector of a network.
std::string folder_behind(std::string_view device) {
  constexpr std::string_view kFolder = "\\??\\", kShare = "UNC\\";
  if (!device.starts_with(kFolder)) return {};
  device.remove_prefix(kFolder.size());
  if (device.starts_with(kShare)) return "\\\\" + std::string(device.substr(kShare.size()));
  return device.size() > 2 && device.substr(1).starts_with(":\\") ? std::string(device)
                                                                  : std::string();
}

}  // namespace

FileType type_of(const WindowsAttributes& attributes) {
  if ((attributes.bits & kReparsePoint) != 0) {
    if ((attributes.reparse_tag & kNameSurrogate) != 0) return FileType::Symlink;
    if (std::ranges::find(kNoFiles, attributes.reparse_tag) != std::end(kNoFiles))
      return FileType::Other;
  }
  if ((attributes.bits & kDirectory) != 0) return FileType::Directory;
  return (attributes.bits & kDevice) != 0 ? FileType::Other : FileType::Regular;
}

bool is_placeholder(const WindowsAttributes& attributes) {
  return (attributes.bits & (kOffline | kRecallOnOpen | kRecallOnDataAccess)) != 0;
}

std::int64_t unix_ns_of(std::int64_t file_time) {
  return file_time == 0 ? 0 : (file_time - kUnixEpoch) * 100;
}

Result<void> check_windows_name(std::string_view name) {
  if (auto checked = check_relative_name(name); !checked) return checked;
  const bool fits = std::ranges::none_of(name, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || kForbidden.find(c) != std::string_view::npos;
  });
  const bool is_name = std::ranges::all_of(split_name(name), [](std::string_view part) {
    const auto units = to_utf16(part);
    return units && units->size() <= kLongestPart;
  });
  if (fits && is_name) return {};
  return fail(ErrorKind::Input, "name " + printable(name, 300) + " is none that Windows has");
}

std::size_t root_length(std::wstring_view path) {
  constexpr std::wstring_view kVerbatim = L"\\\\?\\", kDeviceSpace = L"\\\\.\\";
  constexpr std::wstring_view kVerbatimShare = L"\\\\?\\UNC\\", kShare = L"\\\\";
  std::size_t end = 0;
  int parts = 1;  // a drive or a volume; a share has its server too
  if (path.starts_with(kVerbatimShare)) {
    end = kVerbatimShare.size();
    parts = 2;
  } else if (path.starts_with(kVerbatim) || path.starts_with(kDeviceSpace)) {
    end = kVerbatim.size();
  } else if (path.starts_with(kShare)) {
    end = kShare.size();
    parts = 2;
  }
  for (; parts > 0; --parts) {
    const std::size_t divides = path.find(L'\\', end);
    if (divides == std::wstring_view::npos) return path.size();
    end = divides + 1;
  }
  return end;
}

std::optional<PersonalDrive> personal_drive(std::string_view path, const DriveFacts& facts) {
  constexpr std::size_t kDrive = 2;  // "M:"
  std::string place = facts.share.starts_with("\\\\") ? facts.share : folder_behind(facts.device);
  if (place.empty() && !facts.is_remote) return std::nullopt;
  PersonalDrive found{std::string(path.substr(0, kDrive)), {}};
  if (place.empty()) return found;
  while (place.ends_with('\\')) place.pop_back();
  path.remove_prefix(kDrive);
  found.instead = place + std::string(path == "\\" ? "" : path);
  // `C:` alone would be wherever a program stands on that drive.
  if (found.instead.ends_with(':')) found.instead += '\\';
  return found;
}

}  // namespace millrace
