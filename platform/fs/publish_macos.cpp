#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include "platform/fs/publish_posix.hpp"

namespace millrace {
namespace {

// A file system says with ENOTSUP that it does not know a call; it has a number of its own here.
int with_one_refusal(int result) {
  if (result != 0 && errno == ENOTSUP) errno = EOPNOTSUPP;
  return result;
}

}  // namespace

const RenameCalls& system_rename_calls() {
  static constexpr RenameCalls kCalls = {
      [](int from_dir, const char* from, int to_dir, const char* to) {
        return with_one_refusal(::renameatx_np(from_dir, from, to_dir, to, RENAME_EXCL));
      },
      [](int from_dir, const char* from, int to_dir, const char* to) {
        return with_one_refusal(::linkat(from_dir, from, to_dir, to, 0));
      },
      [](int dir, const char* name) { return ::unlinkat(dir, name, 0); },
      [](int from_dir, const char* from, int to_dir, const char* to) {
        return ::renameat(from_dir, from, to_dir, to);
      },
  };
  return kCalls;
}

}  // namespace millrace
