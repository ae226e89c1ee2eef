#include <windows.h>

#include <string>

#include "platform/base/text.hpp"
#include "platform/base/wide_windows.hpp"
#include "platform/fs/at_windows.hpp"
#include "platform/fs/os_error.hpp"

namespace millrace {
namespace {

struct Row {
  DWORD code;
  ErrorKind kind;
};

// What is not listed is Environment: disk full, access denied, in use, share or drive gone. Waiting
// and trying again is right for all of them.
constexpr Row kRows[] = {
    {ERROR_FILE_NOT_FOUND, ErrorKind::Vanished},
    {ERROR_PATH_NOT_FOUND, ErrorKind::Vanished},
    {ERROR_DIRECTORY, ErrorKind::Vanished},       // a part of the path is a file
    {ERROR_DELETE_PENDING, ErrorKind::Vanished},  // it goes when its last handle is closed
    {ERROR_FILE_EXISTS, ErrorKind::Exists},
    {ERROR_ALREADY_EXISTS, ErrorKind::Exists},
    {ERROR_DIR_NOT_EMPTY, ErrorKind::Exists},
    {ERROR_INVALID_NAME, ErrorKind::Input},
    {ERROR_BAD_PATHNAME, ErrorKind::Input},
    {ERROR_FILENAME_EXCED_RANGE, ErrorKind::Input},
    {ERROR_LABEL_TOO_LONG, ErrorKind::Input},  // how some file systems say that a name is too long
    {ERROR_NO_UNICODE_TRANSLATION, ErrorKind::Input},
    {kIsDirectory, ErrorKind::Input},
    {kIsLink, ErrorKind::Input},
    {ERROR_CANT_RESOLVE_FILENAME, ErrorKind::Input},  // links that lead to themselves
    {ERROR_INVALID_HANDLE, ErrorKind::Defect},
    {ERROR_NOACCESS, ErrorKind::Defect},
};

}  // namespace

ErrorKind error_kind_of(int os_code) {
  for (const Row& row : kRows)
    if (row.code == static_cast<DWORD>(os_code)) return row.kind;
  return ErrorKind::Environment;
}

int placeholder_code() { return 395; }  // the headers of mingw-w64 10 do not have its name

bool asks_for_a_copy(int os_code) {
  return os_code == ERROR_NOT_SAME_DEVICE || os_code == ERROR_ACCESS_DENIED;
}

Error os_error(int os_code, std::string_view what) {
  return {error_kind_of(os_code),
          printable(what) + ": " + system_message(static_cast<DWORD>(os_code)),
          os_code,
          {}};
}

}  // namespace millrace
