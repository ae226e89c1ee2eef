// A child that runs: the waiting half of process_windows.cpp.
#pragma once

#include <memory>

#include "platform/base/handle_windows.hpp"
#include "platform/process/process.hpp"

namespace millrace::process {

struct ChildHandles {
  Handle process;
  Handle job;  // holds the child and whatever it starts; its last handle ends them all
  std::uint64_t id = 0;
  Handle in, out, err;  // our ends of the pipes; empty where there is none
};

std::unique_ptr<Child> make_child(ChildHandles handles);

}  // namespace millrace::process
