#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "platform/fs/publish_posix.hpp"

namespace millrace {

const RenameCalls& system_rename_calls() {
  static constexpr RenameCalls kCalls = {
      [](int from_dir, const char* from, int to_dir, const char* to) {
        return ::renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE);
      },
      [](int from_dir, const char* from, int to_dir, const char* to) {
        return ::linkat(from_dir, from, to_dir, to, 0);
      },
      [](int dir, const char* name) { return ::unlinkat(dir, name, 0); },
      [](int from_dir, const char* from, int to_dir, const char* to) {
        return ::renameat(from_dir, from, to_dir, to);
      },
  };
  return kCalls;
}

}  // namespace millrace
