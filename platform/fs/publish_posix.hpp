// Renames that never lose a file: without replacing, on file systems that can and that cannot.
#pragma once

#include "platform/base/result.hpp"

namespace millrace {

// The system calls of the ladder, as in their manual pages; tests put refusing ones here.
struct RenameCalls {
  int (*rename_no_replace)(int from_dir, const char* from, int to_dir, const char* to);
  int (*link)(int from_dir, const char* from, int to_dir, const char* to);
  int (*unlink)(int dir, const char* name);
  int (*rename)(int from_dir, const char* from, int to_dir, const char* to);
};
const RenameCalls& system_rename_calls();

// Moves `from` to `to` unless `to` is taken (Exists). Three ways, the first that the file system
// knows: renameat2(RENAME_NOREPLACE); link and unlink; an exclusive claim at `to`, renamed over.
// After an error both names are looked at before it is believed: a network file system may have
// done what it reports as failed (rename(2), BUGS). Called again after a crash it goes on where it
// was cut: a second link is removed, a claim that belongs to `from` is taken over, or removed if
// `from` is gone. Blocks.
Result<void> publish_at(int from_dir, const char* from, int to_dir, const char* to,
                        const RenameCalls& calls = system_rename_calls());

// rename(2), looked at again after an error.
Result<void> replace_at(int from_dir, const char* from, int to_dir, const char* to,
                        const RenameCalls& calls = system_rename_calls());

}  // namespace millrace
