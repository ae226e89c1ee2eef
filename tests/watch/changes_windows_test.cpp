// What only ReadDirectoryChangesW knows, and its limits.
#include <windows.h>

#include <fstream>

#include "tests/support/catch.hpp"
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

TEST_CASE("a rename inside is told as one, and a new file as written [A1] [A6]") {
  Scratch scratch;
  write_file(scratch / "a.part", "x");
  auto watcher = open(scratch.path());
  Listener listener(*watcher);
  fs::rename(scratch / "a.part", scratch / "a.png");
  write_file(scratch / "b.png", "x");
  CHECK(listener.until([&] {
    return listener.saw("a.part", Change::Removed) && listener.saw("a.png", Change::Moved) &&
           listener.saw("b.png", Change::Written);
  }));
}

TEST_CASE("a buffer that overflows is a loss, and later changes are heard [B1]") {
  Scratch scratch;
  auto watcher = open(scratch.path());
  Listener listener(*watcher);
  // Each event takes 12 bytes and its name in UTF-16; nobody takes the events of the first files.
  const std::string stem(100, 'n');
  for (int i = 0; i < 400; ++i) std::ofstream(scratch / (stem + std::to_string(i))) << "x";
  CHECK(listener.until([&] { return listener.lost_all(); }));
  listener.events.clear();
  write_file(scratch / "later", "x");
  CHECK(listener.until([&] { return listener.saw("later", Change::Written); }));
}

TEST_CASE("a big folder moved in is a loss below it, not a pile of events [A14] [D1]") {
  Scratch outside;
  Scratch scratch;
  fs::create_directory(outside / "d");
  for (std::size_t i = 0; i < Watcher::kMostEvents + 10; ++i)
    std::ofstream(outside / ("d/" + std::to_string(i)));
  auto watcher = open(scratch.path());
  Listener listener(*watcher);
  fs::rename(outside / "d", scratch / "d");
  CHECK(listener.until([&] {
    return std::any_of(listener.events.begin(), listener.events.end(), [](const auto& event) {
      const auto* lost = std::get_if<Lost>(&event);
      return lost != nullptr && lost->below == "d";
    });
  }));
}

TEST_CASE("a root without a watch is polled when the system has none to give") {
  CHECK(asks_for_polling(Error{ErrorKind::Environment, "", ERROR_INVALID_FUNCTION, {}}));
  CHECK_FALSE(asks_for_polling(Error{ErrorKind::Environment, "", ERROR_ACCESS_DENIED, {}}));
  CHECK_FALSE(asks_for_polling(Error{ErrorKind::Environment, "", 0, {}}));
}

}  // namespace
}  // namespace millrace
