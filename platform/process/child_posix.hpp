// The parent's end of a child. Used inside this unit only.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string_view>

#include "platform/base/descriptor_posix.hpp"
#include "platform/process/process.hpp"

namespace millrace::process {

struct ChildHandles {
  pid_t pid = -1;
  Descriptor ended;  // readable when the child has: pidfd_open(2); a kqueue with EVFILT_PROC
  Descriptor in;     // the parent's ends; -1 where the stream is no pipe
  Descriptor out;
  Descriptor err;
};

// write(2) to a pipe that nobody may read any more: EPIPE and no signal.
ssize_t write_without_signal(int fd, std::string_view bytes);

std::unique_ptr<Child> make_child(ChildHandles handles);

}  // namespace millrace::process
