#include "platform/process/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace std::chrono_literals;

namespace {

TimePoint in(Duration time) { return std::chrono::steady_clock::now() + time; }

SpawnRequest shell(std::string script) {
  SpawnRequest request;
  request.program = "/bin/sh";
  request.arguments = {"-c", std::move(script)};
  request.environment = {{"PATH", "/usr/bin:/bin"}};
  request.in = request.out = ChildStream::Pipe;
  return request;
}

// Whether the process is gone or only waits to be collected by whoever inherited it.
bool is_gone(long pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(stat), {}};
  return text.empty() || text.find(") Z") != std::string::npos;
}

struct Started {
  std::unique_ptr<Launcher> launcher = make_launcher().value();
  std::unique_ptr<Child> spawn(SpawnRequest request) {
    return launcher->spawn(std::move(request)).value();
  }
};

}  // namespace

TEST_CASE("a child answers line by line and its exit code is a value") {
  Started started;
  auto child = started.spawn(shell("while read x; do echo got $x; done; printf last; exit 7"));
  for (const char* word : {"one", "two"}) {
    REQUIRE(child->write(std::string(word) + "\n", in(10s)));
    CHECK(child->read_line(in(10s)).value() == "got " + std::string(word));
  }
  child->close_input();
  CHECK(child->read_line(in(10s)).value() == "last");
  CHECK(child->read_line(in(10s)).value() == std::nullopt);
  const ExitStatus expected{ExitStatus::How::Exited, 7};
  CHECK(child->wait(in(10s)).value() == expected);
  CHECK(child->wait(in(0s)).value() == expected);
  CHECK(to_string(expected) == "exit code 7");
}

TEST_CASE("a deadline ends reading and waiting, and the child can be killed") {
  Started started;
  auto child = started.spawn(shell("printf part; exec sleep 600"));
  REQUIRE(test::eventually([&] {
    auto line = child->read_line(in(20ms));
    return !line && line.error().kind == ErrorKind::Transient;
  }));
  CHECK(child->wait(in(10ms)).value() == std::nullopt);
  std::thread killer([&] { child->kill(); });
  const auto status = child->wait(in(10s)).value();
  killer.join();
  REQUIRE(status);
  CHECK(*status == ExitStatus{ExitStatus::How::Killed, SIGKILL});
}

TEST_CASE("a child that reads no more is an error and no SIGPIPE") {
  Started started;
  auto child = started.spawn(shell("exec <&-; echo closed; exec sleep 600"));
  CHECK(child->read_line(in(10s)).value() == "closed");
  const auto wrote = child->write("x\n", in(5s));
  REQUIRE_FALSE(wrote);
  CHECK(wrote.error().kind == ErrorKind::Vanished);
}

TEST_CASE("a child that does not read meets the deadline of the writer") {
  Started started;
  auto child = started.spawn(shell("exec sleep 600"));
  const auto wrote = child->write(std::string(1 << 20, 'x'), in(50ms));
  REQUIRE_FALSE(wrote);
  CHECK(wrote.error().kind == ErrorKind::Transient);
}

TEST_CASE("a flood on the error stream blocks nobody and its end is kept") {
  Started started;
  auto request = shell("head -c 400000 /dev/zero | tr '\\0' e >&2; echo LAST >&2; echo done");
  request.err = ChildStream::Pipe;
  auto child = started.spawn(request);
  CHECK(child->read_line(in(20s)).value() == "done");
  CHECK(child->wait(in(10s)).value().value().ok());
  CHECK(child->error_tail().ends_with("LAST\n"));
  CHECK(child->error_tail().size() <= 64 * 1024);
}

TEST_CASE("a child that writes errors without end meets every deadline") {
  Started started;
  auto request = shell("exec yes 3>&1 >&2");
  request.err = ChildStream::Pipe;
  auto child = started.spawn(request);
  const auto line = child->read_line(in(300ms));
  REQUIRE_FALSE(line);
  CHECK(line.error().kind == ErrorKind::Transient);
  CHECK(child->wait(in(300ms)).value() == std::nullopt);
  const auto wrote = child->write(std::string(1 << 20, 'x'), in(300ms));
  REQUIRE_FALSE(wrote);
  CHECK(wrote.error().kind == ErrorKind::Transient);
  CHECK(child->error_tail().size() <= 64 * 1024);
}

TEST_CASE("a child has three descriptors, its environment, its folder and fresh signals") {
  const test::Scratch folder;
  const int leak = ::open("/dev/null", O_RDONLY);  // deliberately not close-on-exec
  ::signal(SIGPIPE, SIG_IGN);
  Started started;
  auto request = shell(
      "ls /proc/self/fd | tr '\\n' ' '; echo; pwd; echo $KEY-$HOME;"
      "grep -E 'SigIgn|SigBlk' /proc/self/status");
  request.environment.emplace_back("KEY", "value");
  request.directory = folder.path();
  auto child = started.spawn(request);
  CHECK(child->read_line(in(10s)).value() == "0 1 2 3 ");  // 3: the folder that ls reads
  CHECK(child->read_line(in(10s)).value() == std::filesystem::canonical(folder.path()).string());
  CHECK(child->read_line(in(10s)).value() == "value-");
  CHECK(child->read_line(in(10s)).value() == "SigBlk:\t0000000000000000");
  CHECK(child->read_line(in(10s)).value() == "SigIgn:\t0000000000000000");
  ::signal(SIGPIPE, SIG_DFL);
  ::close(leak);
}

TEST_CASE("limits hold in the child") {
  Started started;
  auto request = shell("ulimit -n; ulimit -c; ulimit -v; ulimit -t");
  request.limits.open_files = 40;
  request.limits.address_space = 1ULL << 30;
  request.limits.cpu_time = 9s;
  auto child = started.spawn(request);
  for (const char* expected : {"40", "0", "1048576", "9"}) {
    CHECK(child->read_line(in(10s)).value() == expected);
  }
}

TEST_CASE("a program that is not there is Vanished, one that may not run Environment") {
  const test::Scratch folder;
  Started started;
  SpawnRequest request;
  request.program = folder / "absent";
  CHECK(started.launcher->spawn(request).error().kind == ErrorKind::Vanished);
  test::write_file(folder / "plain", "text");
  request.program = folder / "plain";
  CHECK(started.launcher->spawn(request).error().kind == ErrorKind::Environment);
  request.program = "sh";
  CHECK(started.launcher->spawn(request).error().kind == ErrorKind::Defect);
}

TEST_CASE("what a child leaves in its group ends with it") {
  Started started;
  auto child = started.spawn(shell("sleep 600 >/dev/null & echo $!"));
  const long grandchild = std::stol(child->read_line(in(10s)).value().value());
  CHECK(child->wait(in(10s)).value().value().ok());
  CHECK(test::eventually([&] { return is_gone(grandchild); }));
}

TEST_CASE("children die with their launcher, not with the thread that asked for them") {
  Started started;
  std::unique_ptr<Child> child;
  std::thread([&] { child = started.spawn(shell("exec sleep 600")); }).join();
  CHECK(child->wait(in(100ms)).value() == std::nullopt);
  started.launcher.reset();
  CHECK(child->wait(in(10s)).value() == ExitStatus{ExitStatus::How::Killed, SIGKILL});
}

TEST_CASE("children die with a parent that was killed") {
  Started started;
  SpawnRequest request;
  request.program = PROCESS_HELPER;
  request.arguments = {"parent"};
  request.out = ChildStream::Pipe;
  auto parent = started.spawn(request);
  const long grandchild = std::stol(parent->read_line(in(10s)).value().value());
  REQUIRE_FALSE(is_gone(grandchild));
  ::kill(static_cast<pid_t>(parent->id()), SIGKILL);  // the parent alone, not its group
  CHECK(test::eventually([&] { return is_gone(grandchild); }));
}

TEST_CASE("many threads may spawn at once") {
  Started started;
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10; ++n) {
        auto child = started.spawn(shell("echo here"));
        if (child->read_line(in(20s)).value() == "here" && child->wait(in(20s)).value()->ok()) {
          ++good;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(good == 80);
}
