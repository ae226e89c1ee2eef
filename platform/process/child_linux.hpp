// The parent's end of a child. Used inside this unit only.
#pragma once

#include <sys/types.h>

#include <memory>

#include "platform/base/descriptor_linux.hpp"
#include "platform/process/process.hpp"

namespace millrace::process {

struct ChildHandles {
  pid_t pid = -1;
  Descriptor pidfd;  // readable when the child has ended, pidfd_open(2)
  Descriptor in;     // the parent's ends; -1 where the stream is no pipe
  Descriptor out;
  Descriptor err;
};

std::unique_ptr<Child> make_child(ChildHandles handles);

}  // namespace millrace::process
