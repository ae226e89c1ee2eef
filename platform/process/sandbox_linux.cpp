#include <dirent.h>
#include <sys/prctl.h>

#include <cerrno>
#include <cstring>

#include "platform/process/confine_linux.hpp"
#include "platform/process/limits_linux.hpp"
#include "platform/process/sandbox.hpp"

namespace millrace {
namespace {

std::size_t count_threads() {
  DIR* tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) return 1;  // no /proc: nothing to count by
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(tasks)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(tasks);
  return count;
}

std::string describe(const Confinement& done, int landlock_version) {
  std::string text = "no new privileges, no core file, not traceable; ";
  text += done.system_calls ? "no sockets, programs or signals to others (seccomp); "
                            : "system calls are NOT filtered (no seccomp here); ";
  text += done.paths ? "files: writes beneath the scratch folder only, reads there and in system "
                       "folders (landlock " +
                           std::to_string(landlock_version) + ")"
                     : "file access is NOT confined (no landlock here)";
  return text;
}

}  // namespace

Result<Confinement> confine(const ConfineRules& rules) {
  if (count_threads() > 1) return fail(ErrorKind::Defect, "confine: a second thread runs");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail(ErrorKind::Environment, "confine: no_new_privs", errno);
  }
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return fail(ErrorKind::Environment, "confine: dumpable", errno);
  }
  if (const int code = process::apply_limits(process::limit_rows(rules.limits)); code != 0) {
    return fail(ErrorKind::Environment, "confine: resource limits", code);
  }
  // Landlock first: the filter refuses its system calls afterwards.
  auto landlock = process::confine_paths(rules);
  if (!landlock) return std::unexpected(landlock.error());
  Confinement done;
  done.paths = *landlock > 0;
  done.system_calls = process::confine_system_calls();
  done.text = describe(done, *landlock);
  return done;
}

}  // namespace millrace
