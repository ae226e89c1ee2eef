#include "platform/process/sandbox.hpp"

#include <filesystem>
#include <map>

#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace std::chrono_literals;

namespace {

TimePoint soon() { return std::chrono::steady_clock::now() + 30s; }

struct Tried {
  std::string in_force;
  std::string text;
  std::map<std::string, std::string> results;  // "done" or "refused"
};

Tried confine_helper(const std::filesystem::path& scratch, const std::filesystem::path& outside) {
  auto launcher = make_launcher().value();
  SpawnRequest request;
  request.program = PROCESS_HELPER;
  request.arguments = {"confine", scratch.string(), outside.string()};
  request.out = ChildStream::Pipe;
  auto child = launcher->spawn(request).value();
  Tried tried;
  tried.in_force = child->read_line(soon()).value().value_or("");
  tried.text = child->read_line(soon()).value().value_or("");
  while (auto line = child->read_line(soon()).value()) {
    const auto space = line->find(' ');
    tried.results[line->substr(0, space)] = line->substr(space + 1, line->rfind(' ') - space - 1);
  }
  CHECK(child->wait(soon()).value().value().ok());
  return tried;
}

}  // namespace

TEST_CASE("a confined process gets no socket, program, process or signal to others") {
  const test::Scratch folder;
  std::filesystem::create_directories(folder / "in");
  std::filesystem::create_directories(folder / "out");
  test::write_file(folder / "out/kept", "kept");
  Tried tried = confine_helper(folder / "in", folder / "out");
  INFO(tried.text);
  REQUIRE(tried.in_force.starts_with("calls"));
  for (const char* name : {"socket-inet", "socket-unix", "run-program", "exec", "fork",
                           "kill-parent", "ptrace", "io-uring", "chmod-outside", "chmod-anew",
                           "own-signals", "choose-signal", "own-signals-anew", "truncate-scratch",
                           "truncate-unwritten", "truncate-unread", "raise-limit"}) {
    INFO(name);
    CHECK(tried.results[name] == "refused");
  }
  for (const char* name : {"thread", "descriptor-flags", "truncate-writing"}) {
    INFO(name);
    CHECK(tried.results[name] == "done");
  }
  CHECK(tried.text.find("seccomp") != std::string::npos);
}

TEST_CASE("a confined process writes beneath its scratch folder only") {
  const test::Scratch folder;
  std::filesystem::create_directories(folder / "in");
  std::filesystem::create_directories(folder / "out");
  test::write_file(folder / "out/kept", "kept");
  Tried tried = confine_helper(folder / "in", folder / "out");
  for (const char* name : {"write-scratch", "rename-scratch", "unlink-scratch", "read-system"}) {
    INFO(name);
    CHECK(tried.results[name] == "done");
  }
  if (tried.in_force == "calls no-paths") {
    CHECK(tried.text.find("NOT confined") != std::string::npos);
    return;
  }
  for (const char* name :
       {"write-outside", "write-dotdot", "truncate-outside", "unlink-outside", "read-outside"}) {
    INFO(name);
    CHECK(tried.results[name] == "refused");
  }
  CHECK(test::read_file(folder / "out/kept") == "kept");
  CHECK_FALSE(std::filesystem::exists(folder / "stray"));
}

TEST_CASE("a process that has a second thread is not confined by halves") {
  auto launcher = make_launcher().value();
  SpawnRequest request;
  request.program = PROCESS_HELPER;
  request.arguments = {"thread"};
  request.out = ChildStream::Pipe;
  auto child = launcher->spawn(request).value();
  CHECK(child->read_line(soon()).value().value_or("").find("second thread") != std::string::npos);
}
