#include "platform/fs/crash_point.hpp"

#ifdef MILLRACE_CRASH_TESTS

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "tests/fs/each_file_system.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("crash points are numbered across threads [G2]") {
  const auto before = crash_points_passed();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([] {
        for (int j = 0; j < 1000; ++j) crash_point();
      });
  }
  CHECK(crash_points_passed() - before == 4000);
}

TEST_CASE("every state-changing call passes a crash point [G2]") {
  Scratch scratch;
  auto box = real_file_system().open_directory(scratch.path()).value();
  const auto points_of = [](auto call) {
    const auto before = crash_points_passed();
    call();
    return crash_points_passed() - before;
  };
  std::unique_ptr<NewFile> file;
  CHECK(points_of([&] { file = box->create("a").value(); }) == 1);
  CHECK(points_of([&] { file->write(std::as_bytes(std::span("x", 1))).value(); }) == 1);
  CHECK(points_of([&] { file->sync().value(); }) == 1);
  CHECK(points_of([&] { file->close().value(); }) == 1);
  CHECK(points_of([&] { box->publish("a", "b").value(); }) == 1);
  CHECK(points_of([&] { box->replace("b", "c").value(); }) == 1);
  CHECK(points_of([&] { box->sync_directory("").value(); }) == 1);
  CHECK(points_of([&] { box->make_directories("d/e").value(); }) == 4);  // and both parents synced
  CHECK(points_of([&] { box->remove("c").value(); }) == 1);
}

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
