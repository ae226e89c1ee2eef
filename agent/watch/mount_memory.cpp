#include "agent/watch/mount_memory.hpp"

namespace millrace {

Result<void> MountMemory::admit(Directory& directory) {
  if (!kind_.empty() && kind_ != directory.mount_kind()) {
    bool empty = true;
    auto listed = directory.list("", [&](const Directory::Entry&) {
      empty = false;
      return Visit::Stop;
    });
    if (!listed) return listed;
    if (empty) {
      return fail(
          ErrorKind::Environment,
          "an empty folder lies where another file system was mounted before; is it mounted?");
    }
  }
  kind_ = directory.mount_kind();
  return {};
}

}  // namespace millrace
