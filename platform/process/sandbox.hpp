// What a process gives up for good before it looks at bytes of strangers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "platform/base/result.hpp"
#include "platform/process/process.hpp"

namespace millrace {

struct ConfineRules {
  std::filesystem::path scratch;  // the only folder that it may write beneath
  std::vector<std::filesystem::path>
      readable;  // what else it may read beneath; absent ones ignored
  ResourceLimits limits;
};

// What is in force from now on.
struct Confinement {
  bool system_calls = false;  // no sockets, programs, processes, signals to others, tracing
  bool paths = false;         // files are written only beneath scratch, read only where permitted
  std::string text;           // one line for a person: what holds, and what does not
};

// Confines the calling process, for ever and for every child. Called once, while it has one thread
// (Defect otherwise: a second thread would stay free), after everything was loaded that is loaded
// from outside `readable`. Linux:
// - always: no_new_privs, the limits, no core file, not dumpable (no ptrace, no /proc/PID/mem);
// - seccomp-bpf (3.17 or newer; x86_64, aarch64): refused calls answer EPERM; clone3, openat2,
//   io_uring and every call that Linux has since 6.5 ENOSYS. Descriptors that are already open keep
//   working;
// - Landlock (5.13 or newer, where it is switched on): paths. Without it a file may be written
//   wherever the user may, as far as limits.file_size permits; `paths` and `text` say so.
// Environment when a limit or no_new_privs is refused. A missing seccomp or Landlock is no error:
// the caller decides by the answer.
Result<Confinement> confine(const ConfineRules& rules);

}  // namespace millrace
