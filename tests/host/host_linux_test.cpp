#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "platform/host/host.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {

TEST_CASE("one instance for one state folder, ended by any end of its process [I4]") {
  const test::Scratch state;
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto lock = lock_instance(state.path());
    (void)!write(ready[1], lock ? "y" : "n", 1);
    pause();
  }
  char said = 0;
  REQUIRE(read(ready[0], &said, 1) == 1);
  REQUIRE(said == 'y');
  const auto second = lock_instance(state.path());
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == ErrorKind::Exists);
  CHECK(second.error().message.find(std::to_string(child)) != std::string::npos);
  CHECK(instance_runs(state.path()));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  CHECK_FALSE(instance_runs(state.path()));
  CHECK(lock_instance(state.path()));
}

TEST_CASE("who asks whether an instance runs is in the way of none that starts [I4]") {
  const test::Scratch state;
  REQUIRE(lock_instance(state.path()));
  const pid_t asking = fork();
  if (asking == 0) {
    for (;;) (void)instance_runs(state.path());
  }
  for (int i = 0; i < 2000; ++i) CHECK(lock_instance(state.path()));
  kill(asking, SIGKILL);
  waitpid(asking, nullptr, 0);
}

TEST_CASE("an instance waits for a command that holds the lock for a moment [I4]") {
  const test::Scratch state;
  auto held = lock_instance(state.path());
  REQUIRE(held);
  std::jthread command([&] {
    // The moment itself. Nothing depends on its length: were it over too soon, the lock is free.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    held->reset();
  });
  CHECK(lock_instance(state.path()));
}

TEST_CASE("standard folders follow the XDG variables, if they are absolute") {
  const test::Scratch home;
  setenv("HOME", home.path().c_str(), 1);
  setenv("XDG_CONFIG_HOME", (home / "c").c_str(), 1);
  setenv("XDG_STATE_HOME", "relative", 1);
  setenv("XDG_RUNTIME_DIR", home.path().c_str(), 1);
  const auto folders = standard_folders();
  REQUIRE(folders);
  CHECK(folders->config_file == home.path() / "c/millrace/config.toml");
  CHECK(folders->state_dir == home.path() / ".local/state/millrace");
  struct stat info{};
  REQUIRE(stat(folders->runtime_dir.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
}

}  // namespace millrace
