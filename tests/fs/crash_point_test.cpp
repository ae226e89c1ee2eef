#include "platform/fs/crash_point.hpp"

#ifdef MILLRACE_CRASH_TESTS

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

#endif
