#include "platform/fs/at_windows.hpp"

#include <winternl.h>

#include <cstddef>
#include <cstring>
#include <vector>

#ifdef _MSC_VER  // its headers do not declare it, and its ntdll.lib has it
extern "C" NTSTATUS NTAPI NtSetInformationFile(HANDLE file, IO_STATUS_BLOCK* io, void* data,
                                               ULONG size, FILE_INFORMATION_CLASS what);
#endif

namespace millrace {
namespace {

constexpr NTSTATUS kStatusDeletePending = static_cast<NTSTATUS>(0xC0000056);
constexpr NTSTATUS kStatusIsDirectory = static_cast<NTSTATUS>(0xC00000BA);

// FILE_INFORMATION_CLASS; the headers of mingw-w64 lack the last.
constexpr auto kRename = static_cast<FILE_INFORMATION_CLASS>(10);
constexpr auto kDisposition = static_cast<FILE_INFORMATION_CLASS>(13);
constexpr auto kDispositionEx = static_cast<FILE_INFORMATION_CLASS>(64);

// FILE_DISPOSITION_DELETE, _POSIX_SEMANTICS, _IGNORE_READONLY_ATTRIBUTE
constexpr ULONG kDeleteNow = 0x01 | 0x02 | 0x10;

DWORD code_of(NTSTATUS status) {
  if (status >= 0) return 0;
  // The system makes "access denied" of both.
  if (status == kStatusDeletePending) return ERROR_DELETE_PENDING;
  if (status == kStatusIsDirectory) return kIsDirectory;
  return ::RtlNtStatusToDosError(status);
}

}  // namespace

ULONG create_options(ULONG wanted) {
  const ULONG options = wanted | FILE_OPEN_REPARSE_POINT | FILE_SYNCHRONOUS_IO_NONALERT;
  const bool is_directory = (wanted & FILE_DIRECTORY_FILE) != 0;
  return is_directory ? options : options | FILE_OPEN_NO_RECALL;
}

std::expected<Handle, DWORD> open_at(HANDLE root, const std::wstring& leaf, const OpenAt& how) {
  if (leaf.size() > 0x7FFF) return std::unexpected<DWORD>(ERROR_FILENAME_EXCED_RANGE);
  UNICODE_STRING name{};
  name.Buffer = const_cast<wchar_t*>(leaf.data());
  name.Length = name.MaximumLength = static_cast<USHORT>(leaf.size() * sizeof(wchar_t));
  OBJECT_ATTRIBUTES attributes{};
  attributes.Length = sizeof attributes;
  attributes.RootDirectory = root;
  attributes.ObjectName = &name;
  attributes.Attributes = OBJ_CASE_INSENSITIVE;
  attributes.SecurityDescriptor = how.security;
  IO_STATUS_BLOCK io{};
  HANDLE handle = nullptr;
  const NTSTATUS status = ::NtCreateFile(&handle, how.access | SYNCHRONIZE, &attributes, &io,
                                         nullptr, FILE_ATTRIBUTE_NORMAL, how.share, how.disposition,
                                         create_options(how.options), nullptr, 0);
  if (status < 0) return std::unexpected(code_of(status));
  return Handle(handle);
}

DWORD rename_at(HANDLE file, HANDLE to_dir, const std::wstring& leaf, bool replaces) {
  const std::size_t bytes = leaf.size() * sizeof(wchar_t);
  const std::size_t size = sizeof(FILE_RENAME_INFO) + bytes;
  std::vector<std::max_align_t> memory(size / sizeof(std::max_align_t) + 1);
  auto* info = reinterpret_cast<FILE_RENAME_INFO*>(memory.data());
  info->ReplaceIfExists = replaces ? TRUE : FALSE;
  info->RootDirectory = to_dir;
  info->FileNameLength = static_cast<DWORD>(bytes);
  std::memcpy(info->FileName, leaf.data(), bytes);
  IO_STATUS_BLOCK io{};
  return code_of(::NtSetInformationFile(file, &io, info, static_cast<ULONG>(size), kRename));
}

DWORD delete_opened(HANDLE file) {
  IO_STATUS_BLOCK io{};
  ULONG flags = kDeleteNow;
  if (::NtSetInformationFile(file, &io, &flags, sizeof flags, kDispositionEx) >= 0) return 0;
  // Before Windows 10 (1709), and on FAT and some shares.
  FILE_DISPOSITION_INFO all{TRUE};
  return code_of(::NtSetInformationFile(file, &io, &all, sizeof all, kDisposition));
}

}  // namespace millrace
