// What only inotify knows, and its limits.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/privilege_linux.hpp"
#include "tests/support/scratch.hpp"
#include "tests/watch/listener.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using test::Listener;
using test::Scratch;
using test::write_file;

std::unique_ptr<Watcher> open(const fs::path& root) {
  auto watcher = open_native_watcher(root, {});
  REQUIRE(watcher);
  return std::move(*watcher);
}

TEST_CASE("how a file arrived is told: closed, renamed, linked, only written [A1] [A6]") {
  Scratch outside;
  Scratch scratch;
  write_file(outside / "moved", "x");
  write_file(outside / "linked", "x");
  auto watcher = open(scratch.path());
  Listener listener(*watcher);
  write_file(scratch / "closed", "x");
  fs::rename(outside / "moved", scratch / "moved");
  fs::create_hard_link(outside / "linked", scratch / "linked");
  std::ofstream still_open(scratch / "open");
  still_open << "x" << std::flush;
  CHECK(listener.until([&] {
    return listener.saw("closed", Change::Closed) && listener.saw("moved", Change::Moved) &&
           listener.saw("linked", Change::Moved) && listener.saw("open", Change::Written);
  }));
  CHECK_FALSE(listener.saw("open", Change::Closed));
}

TEST_CASE("files of a folder that was renamed into place count as renamed [A14]") {
  Scratch outside;
  Scratch scratch;
  fs::create_directory(outside / "d");
  write_file(outside / "d/f", "x");
  auto watcher = open(scratch.path());
  Listener listener(*watcher);
  fs::rename(outside / "d", scratch / "d");
  CHECK(listener.until([&] { return listener.saw("d/f", Change::Moved); }));
}

TEST_CASE("a big folder moved in is a loss below it, not a pile of events [A14] [D1]") {
  Scratch outside;
  Scratch scratch;
  fs::create_directory(outside / "d");
  for (std::size_t i = 0; i < Watcher::kMostEvents + 10; ++i) {
    std::ofstream(outside / ("d/" + std::to_string(i)));
  }
  auto watcher = open(scratch.path());
  Listener listener(*watcher);
  fs::rename(outside / "d", scratch / "d");
  CHECK(listener.until([&] {
    const auto* lost =
        listener.events.empty() ? nullptr : std::get_if<Lost>(&listener.events.back());
    return lost != nullptr && lost->below == "d";
  }));
}

TEST_CASE("an overflow of the queue is a loss, and folders made meanwhile are watched [B1]") {
  Scratch scratch;
  fs::create_directory(scratch / "old");
  auto watcher = open(scratch.path());
  Listener listener(*watcher);
  // Each makes two events at least; the queue holds fs.inotify.max_queued_events, 16384 by default.
  std::ifstream limit("/proc/sys/fs/inotify/max_queued_events");
  long most = 16384;
  limit >> most;
  for (long i = 0; i <= most / 2; ++i) {
    const fs::path file = scratch / ("old/" + std::to_string(i));
    std::ofstream(file) << "x";
  }
  fs::create_directories(scratch / "new/below");
  fs::remove_all(scratch / "old");
  CHECK(listener.until([&] { return listener.lost_all(); }));
  listener.events.clear();
  write_file(scratch / "new/below/f", "x");
  CHECK(listener.until([&] { return listener.saw("new/below/f", Change::Closed); }));
}

// fork(2) into namespaces of its own. clone(2) does both at once, so it may be called beside other
// threads, as a sanitizer has them; unshare(2) may not. 0 in the child.
pid_t fork_into(unsigned long namespaces) {
  return static_cast<pid_t>(
      ::syscall(SYS_clone, namespaces | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

// In a user namespace of its own with `most` watches; ends with what `body` returns.
int with_watch_limit(const char* sysctl, int most, int (*body)(const fs::path&),
                     const fs::path& root) {
  const pid_t child = fork_into(CLONE_NEWUSER);
  REQUIRE(child >= 0);
  if (child == 0) {
    std::ofstream(std::string("/proc/sys/user/") + sysctl) << most << std::flush;
    ::_exit(body(root));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

TEST_CASE("the watch limit is an error that names its sysctl [B5]") {
  Scratch scratch;
  for (const char* name : {"a", "b", "c"}) fs::create_directory(scratch / name);
  const int result = with_watch_limit(
      "max_inotify_watches", 2,
      [](const fs::path& root) {
        const auto watcher = open_native_watcher(root, {});
        if (watcher) return 1;
        if (watcher.error().os_code != ENOSPC) return 2;
        if (watcher.error().kind != ErrorKind::Environment) return 3;
        return watcher.error().message.find("fs.inotify.max_user_watches") == std::string::npos ? 4
                                                                                                : 0;
      },
      scratch.path());
  CHECK(result == 0);
}

TEST_CASE("no instance left is an error that names its sysctl [B5]") {
  Scratch scratch;
  const int result = with_watch_limit(
      "max_inotify_instances", 0,
      [](const fs::path& root) {
        const auto watcher = open_native_watcher(root, {});
        if (watcher) return 1;
        if (watcher.error().os_code != EMFILE) return 2;
        return watcher.error().message.find("max_user_instances") == std::string::npos ? 4 : 0;
      },
      scratch.path());
  CHECK(result == 0);
}

TEST_CASE("the watch limit that is reached later ends the watcher [B5]") {
  Scratch scratch;
  const int result = with_watch_limit(
      "max_inotify_watches", 2,
      [](const fs::path& root) {
        auto watcher = open_native_watcher(root, {});
        if (!watcher) return 1;
        fs::create_directories(root / "a/b/c");
        Listener listener(**watcher);
        if (!listener.until([&] { return listener.ended(); })) return 2;
        return std::get<Ended>(listener.events.back()).error.os_code == ENOSPC ? 0 : 3;
      },
      scratch.path());
  CHECK(result == 0);
}

TEST_CASE("a root that is mounted over, or unmounted, ends the watcher [B6]") {
  Scratch scratch;
  const bool unmounted = GENERATE(false, true);
  const pid_t child = ::fork();
  if (child == 0) {
    // Mounts of its own, so that nothing is left behind; as an ordinary user through a user
    // namespace.
    if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ::_exit(77);
    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    const char* root = scratch.path().c_str();
    if (unmounted && ::mount("tmpfs", root, "tmpfs", 0, nullptr) != 0) ::_exit(78);
    auto watcher = open_native_watcher(root, {});
    if (!watcher) ::_exit(1);
    if (unmounted ? ::umount2(root, MNT_DETACH) != 0
                  : ::mount("tmpfs", root, "tmpfs", 0, nullptr) != 0) {
      ::_exit(2);
    }
    Listener listener(**watcher);
    ::_exit(listener.until([&] { return listener.ended(); }) ? 0 : 3);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a folder that becomes readable later is heard from then on [A12]") {
  const auto hears = [] {
    Scratch scratch;
    fs::create_directory(scratch / "d");
    write_file(scratch / "d/f", "x");
    fs::permissions(scratch / "d", fs::perms::none);
    auto watcher = open(scratch.path());
    Listener listener(*watcher);
    std::error_code closed;
    if (fs::exists(scratch / "d/f", closed)) return 2;
    fs::permissions(scratch / "d", fs::perms::owner_all);
    return listener.until([&] { return listener.knows("d/f"); }) ? 0 : 1;
  };
  CHECK(test::as_nobody(hears) == 0);  // root would read the folder all the time
}

}  // namespace
}  // namespace millrace
