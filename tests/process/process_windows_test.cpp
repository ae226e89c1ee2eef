#include <windows.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "platform/base/handle_windows.hpp"
#include "platform/process/process.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/strangers.hpp"

using namespace millrace;
using namespace std::chrono_literals;

namespace {

TimePoint in(Duration time) { return std::chrono::steady_clock::now() + time; }

SpawnRequest helper(std::vector<std::string> arguments) {
  SpawnRequest request;
  request.program = std::filesystem::path(own_program_folder().value()) / PROCESS_HELPER;
  request.arguments = std::move(arguments);
  request.in = request.out = ChildStream::Pipe;
  return request;
}

bool is_gone(DWORD id) {
  const Handle process(::OpenProcess(SYNCHRONIZE, FALSE, id));
  return !process || ::WaitForSingleObject(process.get(), 0) == WAIT_OBJECT_0;
}

struct Started {
  std::unique_ptr<Launcher> launcher = make_launcher().value();
  std::unique_ptr<Child> spawn(SpawnRequest request) {
    return launcher->spawn(std::move(request)).value();
  }
};

std::string line_of(Child& child) { return child.read_line(in(30s)).value().value_or("(end)"); }

}  // namespace

TEST_CASE("a child answers line by line and its exit code is a value") {
  Started started;
  auto child = started.spawn(helper({"echo"}));
  for (const char* word : {"one", "two"}) {
    REQUIRE(child->write(std::string(word) + "\n", in(30s)));
    CHECK(line_of(*child) == "got " + std::string(word));
  }
  child->close_input();
  CHECK(line_of(*child) == "last");
  CHECK(child->read_line(in(30s)).value() == std::nullopt);
  const ExitStatus expected{ExitStatus::How::Exited, 7};
  CHECK(child->wait(in(30s)).value() == expected);
  CHECK(child->wait(in(0s)).value() == expected);
}

TEST_CASE("a deadline ends reading and waiting, and the child can be killed") {
  Started started;
  auto child = started.spawn(helper({"part"}));
  const auto late = child->read_line(in(200ms));
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == ErrorKind::Transient);
  CHECK(child->wait(in(10ms)).value() == std::nullopt);
  std::thread killer([&] { child->kill(); });
  const auto status = child->wait(in(30s)).value();
  killer.join();
  REQUIRE(status);
  CHECK(status->how == ExitStatus::How::Killed);
}

TEST_CASE("a child that reads no more is an error") {
  Started started;
  auto child = started.spawn(helper({"sleep"}));
  child->kill();
  REQUIRE(child->wait(in(30s)).value());
  const auto wrote = child->write("x", in(30s));
  REQUIRE_FALSE(wrote);
  CHECK(wrote.error().kind == ErrorKind::Vanished);
}

TEST_CASE("a child that does not read meets the deadline of the writer") {
  Started started;
  auto child = started.spawn(helper({"sleep"}));
  const auto wrote = child->write(std::string(1 << 20, 'x'), in(200ms));
  REQUIRE_FALSE(wrote);
  CHECK(wrote.error().kind == ErrorKind::Transient);
}

TEST_CASE("a flood on the error stream blocks nobody and its end is kept") {
  Started started;
  auto request = helper({"flood"});
  request.err = ChildStream::Pipe;
  auto child = started.spawn(std::move(request));
  CHECK(line_of(*child) == "done");
  REQUIRE(child->wait(in(30s)).value());
  CHECK(child->error_tail().size() <= 64 * 1024);
  CHECK(child->error_tail().ends_with("the end"));
}

TEST_CASE("a child that writes errors without end meets every deadline") {
  Started started;
  auto request = helper({"pour"});
  request.err = ChildStream::Pipe;
  auto child = started.spawn(std::move(request));
  const auto line = child->read_line(in(300ms));
  REQUIRE_FALSE(line);
  CHECK(line.error().kind == ErrorKind::Transient);
  CHECK(child->wait(in(300ms)).value() == std::nullopt);
  CHECK(child->error_tail().size() <= 64 * 1024);
}

TEST_CASE("a child has its arguments, its environment and its folder, and no variable of ours") {
  const test::Scratch scratch;
  ::SetEnvironmentVariableW(L"MILLRACE_OURS", L"leaked");
  Started started;
  const std::vector<std::string> arguments{"a b",    "",     "quo\"te",
                                           "back\\", "\\\"", "\xC3\xBC\xE2\x82\xAC"};
  auto request = helper({"show"});
  request.arguments.insert(request.arguments.end(), arguments.begin(), arguments.end());
  request.environment = {{"MILLRACE_SHOWN", "\xC3\xBC"}};
  request.directory = scratch.path();
  auto child = started.spawn(std::move(request));
  for (const auto& argument : arguments) CHECK(line_of(*child) == "argument " + argument);
  CHECK(line_of(*child) == "folder " + scratch.path().string());
  CHECK(line_of(*child) == "variable \xC3\xBC");
  CHECK(line_of(*child) == "inherited ");
}

TEST_CASE("a limit that Windows lacks is refused") {
  Started started;
  auto request = helper({"sleep"});
  request.limits.file_size = 1000;
  const auto refused = started.launcher->spawn(request);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::Configuration);
}

TEST_CASE("a limit of memory holds in the child") {
  if (test::under_wine()) return test::not_shown_here("Wine keeps no limits of a job");
  Started started;
  auto request = helper({"allocate"});
  request.limits.address_space = 256u << 20;
  CHECK(line_of(*started.spawn(request)) == "refused");
}

TEST_CASE("a program that is not there is Vanished") {
  Started started;
  auto request = helper({});
  request.program += ".absent";
  const auto absent = started.launcher->spawn(std::move(request));
  REQUIRE_FALSE(absent);
  CHECK(absent.error().kind == ErrorKind::Vanished);
}

TEST_CASE("a crash is told apart from an exit") {
  Started started;
  auto child = started.spawn(helper({"crash"}));
  const auto status = child->wait(in(30s)).value();
  REQUIRE(status);
  CHECK(*status == ExitStatus{ExitStatus::How::Killed, static_cast<int>(0xC0000005)});
  CHECK(to_string(*status) == "ended by Windows, status 0xC0000005");
}

TEST_CASE("what a child has started ends with it") {
  Started started;
  auto child = started.spawn(helper({"spawn"}));
  const auto grandchild = static_cast<DWORD>(std::stoul(line_of(*child)));
  CHECK_FALSE(is_gone(grandchild));
  child.reset();
  CHECK(test::eventually([&] { return is_gone(grandchild); }));
}

TEST_CASE("many threads may spawn at once") {
  Started started;
  std::mutex mutex;
  std::vector<std::string> said;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      auto child = started.launcher->spawn(helper({"echo"}));
      if (child) (*child)->close_input();
      const auto status = child ? (*child)->wait(in(60s)) : std::unexpected(child.error());
      const std::scoped_lock lock(mutex);
      said.push_back(!status ? status.error().message : *status ? to_string(**status) : "late");
    });
  }
  threads.clear();
  CHECK(said == std::vector<std::string>(4, "exit code 7"));
}
