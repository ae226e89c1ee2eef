#include "platform/fs/crash_point.hpp"

#ifdef MILLRACE_CRASH_TESTS

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "tests/fs/each_file_system.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("the process ends at the crash point that was asked for, and before its call [G2]") {
  Scratch scratch;
  const auto run = [&](const char* die_at) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("MILLRACE_DIE_AT", die_at, 1);
      ::setenv("MILLRACE_COUNT_FILE", (scratch / "count").c_str(), 1);
      ::setenv("MILLRACE_TEST_FOLDER", scratch.path().c_str(), 1);
      const auto self = std::filesystem::read_symlink("/proc/self/exe");
      ::execl(self.c_str(), self.c_str(), "[.crash-child]", "-o", "/dev/null", nullptr);
      ::_exit(99);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  CHECK(run("2") == kCrashExitStatus);
  CHECK(read_file(scratch / "victim").empty());  // created, not written
  CHECK_FALSE(std::filesystem::exists(scratch / "count"));
  std::filesystem::remove(scratch / "victim");
  CHECK(run("100") == 0);
  CHECK(read_file(scratch / "victim") == "x");
  CHECK(read_file(scratch / "count") == "4\n");
}

// Run by the case above in a process of its own.
TEST_CASE("victim of a crash point", "[.crash-child]") {
  const char* folder = std::getenv("MILLRACE_TEST_FOLDER");
  REQUIRE(folder);
  put(*real_file_system().open_directory(folder).value(), "victim", "x");
}

#endif
