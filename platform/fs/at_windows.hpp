// Files named relative to an open directory, as openat(2) and renameat(2) do it. Win32 has no such
// calls; the ones of the kernel have, and go past the rules that make other names out of `con.png`
// and `a.` (NtCreateFile, NtSetInformationFile;
// https://learn.microsoft.com/windows/win32/devnotes).
#pragma once

#include <windows.h>

#include <string>

#include "platform/base/handle_windows.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// What others may do with the file while it is open. A new open is refused if it asks for what an
// earlier one does not share, or does not share what an earlier one has.
constexpr ULONG kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

// ERROR_DIRECTORY_NOT_SUPPORTED, which the headers of mingw-w64 10 lack: a directory where a file
// was wanted.
constexpr DWORD kIsDirectory = 336;
constexpr DWORD kIsLink = 681;  // ERROR_STOPPED_ON_SYMLINK, lacking as well

struct OpenAt {
  ACCESS_MASK access = FILE_READ_ATTRIBUTES;  // with no more than this, sharing is not asked
  ULONG share = kShareAll;
  ULONG disposition = 1;                    // FILE_OPEN
  ULONG options = 0;                        // FILE_DIRECTORY_FILE and its like
  PSECURITY_DESCRIPTOR security = nullptr;  // of a file that is made; inherited without
};

// The options of NtCreateFile for those that are wanted. Where a directory is, the I/O manager
// takes only some others and answers ERROR_INVALID_PARAMETER to the rest, FILE_OPEN_NO_RECALL among
// them (Wine looks at none of this); a directory has no bytes to fetch.
// https://learn.microsoft.com/windows/win32/api/winternl/nf-winternl-ntcreatefile
ULONG create_options(ULONG wanted);

// A file that was opened, or the code of GetLastError() that says why not. Never through a link
// that is the last part itself, and nothing is fetched from a cloud. An empty `leaf` opens anew
// what `root` is.
std::expected<Handle, DWORD> open_at(HANDLE root, const std::wstring& leaf, const OpenAt& how);

// 0 or the code.
DWORD rename_at(HANDLE file, HANDLE to_dir, const std::wstring& leaf, bool replaces);
// The name is gone at once where the file system can do that, else with the file's last handle.
DWORD delete_opened(HANDLE file);

}  // namespace millrace
