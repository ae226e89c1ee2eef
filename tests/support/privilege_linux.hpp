// What some tests need of the machine. A test that does not get it fails and says what it needs.
#pragma once

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "tests/support/catch.hpp"

namespace millrace::test {

inline constexpr uid_t kNobody = 65534;

// `what` ends "this test needs root: it ...".
inline void require_root(const std::string& what) {
  if (::geteuid() != 0) FAIL("this test needs root: it " + what);
}

// Runs `body` in a child as an unprivileged user; the child's exit status is what `body` returned,
// 97 if it threw, 98 if it could not leave root, 1000 and the signal if it died. Called with one
// thread running.
template <typename Body>
int as_nobody(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) ::_exit(98);
    try {
      ::_exit(body());
    } catch (...) {
      ::_exit(97);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

}  // namespace millrace::test
