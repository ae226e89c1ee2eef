#include <cerrno>
#include <string>
#include <system_error>

#include "platform/base/text.hpp"
#include "platform/fs/os_error.hpp"

namespace millrace {
namespace {

struct Row {
  int code;
  ErrorKind kind;
};

// What is not listed is Environment: no space, quota, read-only, permission, input/output error,
// share gone, too many open files. Waiting and trying again is right for all of them.
constexpr Row kRows[] = {
    {ENOENT, ErrorKind::Vanished},    {ENOTDIR, ErrorKind::Vanished},
    {EEXIST, ErrorKind::Exists},      {ENOTEMPTY, ErrorKind::Exists},
    {EISDIR, ErrorKind::Input},       {ELOOP, ErrorKind::Input},
    {ENAMETOOLONG, ErrorKind::Input}, {EILSEQ, ErrorKind::Input},
    {EINVAL, ErrorKind::Input},  // a name that this file system does not take
    {EBADF, ErrorKind::Defect},       {EFAULT, ErrorKind::Defect},
};

}  // namespace

ErrorKind error_kind_of(int os_code) {
  for (const Row& row : kRows)
    if (row.code == os_code) return row.kind;
  return ErrorKind::Environment;
}

int placeholder_code() { return EDEADLK; }

bool asks_for_a_copy(int os_code) {
  return os_code == EXDEV || os_code == EACCES || os_code == EPERM || os_code == EMLINK;
}

Error os_error(int os_code, std::string_view what) {
  return {error_kind_of(os_code),
          printable(what) + ": " + std::generic_category().message(os_code),
          os_code,
          {}};
}

}  // namespace millrace
