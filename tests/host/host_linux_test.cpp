#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "platform/host/host.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {

TEST_CASE("a secret is kept in a file that only its user may read [M2]") {
  const test::Scratch home;
  REQUIRE(store_secret(home.path(), "ctf", "CANARY"));
  struct stat info{};
  REQUIRE(stat((home / "secrets/ctf").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(read_secret(home.path(), "ctf").value() == "CANARY");
  REQUIRE(store_secret(home.path(), "ctf", "NEW"));
  CHECK(read_secret(home.path(), "ctf").value() == "NEW");
  REQUIRE(remove_secret(home.path(), "ctf"));
  CHECK(read_secret(home.path(), "ctf").error().kind == ErrorKind::Configuration);
}

TEST_CASE("a secret that others may read is refused, and so is a name that is a path [M2]") {
  const test::Scratch home;
  test::write_file(home / "key", "CANARY\n");
  chmod((home / "key").c_str(), 0644);
  const auto refused = read_secret_file(home / "key");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("chmod 600") != std::string::npos);
  CHECK(refused.error().message.find("CANARY") == std::string::npos);
  chmod((home / "key").c_str(), 0600);
  CHECK(read_secret_file(home / "key").value() == "CANARY");
  CHECK_FALSE(store_secret(home.path(), "../x", "v"));
}

TEST_CASE("a secret that is too long is refused, not cut [M2]") {
  const test::Scratch home;
  const std::string longest(16 * 1024, 'k');
  test::write_file(home / "key", longest + "\n");
  chmod((home / "key").c_str(), 0600);
  CHECK(read_secret_file(home / "key").value() == longest);
  test::write_file(home / "key", longest + "k");
  const auto refused = read_secret_file(home / "key");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::Configuration);
  CHECK(refused.error().message.find("longer than 16384 bytes") != std::string::npos);
  CHECK(refused.error().message.find("kkk") == std::string::npos);
  REQUIRE(store_secret(home.path(), "ctf", longest));
  CHECK(store_secret(home.path(), "ctf", longest + "k").error().kind == ErrorKind::Configuration);
  CHECK(read_secret(home.path(), "ctf").value() == longest);
}

TEST_CASE("a secret that cannot be written whole leaves the old one and nothing else [M2]") {
  const test::Scratch home;
  REQUIRE(store_secret(home.path(), "ctf", "OLD"));
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto ignored = signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{4, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &tight) == 0);
  errno = ENOENT;
  const auto stored = store_secret(home.path(), "ctf", "CANARY");
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, ignored);
  REQUIRE_FALSE(stored);
  CHECK(stored.error().os_code == EFBIG);
  CHECK_FALSE(std::filesystem::exists(home / "secrets/ctf.new"));
  CHECK(read_secret(home.path(), "ctf").value() == "OLD");
}

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
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
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
