// What a worker program does at its own end of its parent's pipes. One thread; each process once.
#pragma once

#include <string>
#include <string_view>

#include "platform/base/result.hpp"

namespace millrace {

// Takes standard output for the answers alone: what libraries print from here on goes to standard
// error. A parent that is gone shows as a failed answer and kills nothing (SIGPIPE is ignored).
// Memory that is freed goes back to the system at once, as far as the system can be told to.
// Called first, while the process has one thread.
Result<void> begin_worker();

// One line to the parent, its line end added. Blocks; Vanished if the parent is gone.
Result<void> answer_line(std::string line);

// A computation that cannot be interrupted, only left.
struct Deadline {
  unsigned seconds = 0;    // 0: none
  std::string unfinished;  // the file that goes with it; absolute, under 4096 bytes
};

// Ends the process with status 3 after `seconds`, unless end_deadline() comes first: the file is
// removed and `last_words` (shorter than 1024 bytes) are its last line to the parent. Input if one
// of them is too long.
Result<void> begin_deadline(const Deadline& deadline, std::string_view last_words);
void end_deadline();

// Folder that libraries put what is too large for memory into.
void set_temporary_folder(const std::string& path);

// Ends the process without running the destructors of its libraries.
[[noreturn]] void leave_worker(int status);

}  // namespace millrace
