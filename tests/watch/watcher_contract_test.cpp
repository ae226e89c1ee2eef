// One suite for every watcher.
#include <filesystem>
#include <fstream>
#include <thread>

#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/strangers.hpp"
#include "tests/watch/listener.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using test::LinkTo;
using test::Listener;
using test::not_shown_here;
using test::plant_link;
using test::Scratch;
using test::strange_names;
using test::under_wine;
using test::write_file;

enum class Kind { Native, Polling };

std::unique_ptr<Watcher> open(Kind kind, const fs::path& root, bool recursive = true) {
  WatchOptions options{.recursive = recursive, .poll_every = std::chrono::milliseconds{20}};
  auto watcher = kind == Kind::Native ? open_native_watcher(root, options)
                                      : open_polling_watcher(root, options);
  REQUIRE(watcher);
  return std::move(*watcher);
}

Kind any_kind() { return GENERATE(Kind::Native, Kind::Polling); }

TEST_CASE("a written file is told of; what was there before is not") {
  Scratch scratch;
  write_file(scratch / "old", "x");
  auto watcher = open(any_kind(), scratch.path());
  Listener listener(*watcher);
  write_file(scratch / "new", "x");
  CHECK(listener.until([&] { return listener.knows("new"); }));
  CHECK_FALSE(listener.knows("old"));
}

TEST_CASE("a change of a known file is told of") {
  Scratch scratch;
  write_file(scratch / "a", "x");
  auto watcher = open(any_kind(), scratch.path());
  Listener listener(*watcher);
  write_file(scratch / "a", "longer");
  CHECK(listener.until([&] { return listener.knows("a"); }));
}

TEST_CASE("a renamed, a linked and an atomically replaced file are told of [A6] [A8]") {
  Scratch outside;
  Scratch scratch;
  for (const char* name : {"moved", "linked", "replacing"}) write_file(outside / name, name);
  write_file(scratch / "replaced", "before");
  auto watcher = open(any_kind(), scratch.path());
  Listener listener(*watcher);
  fs::rename(outside / "moved", scratch / "moved");
  fs::create_hard_link(outside / "linked", scratch / "linked");
  fs::rename(outside / "replacing", scratch / "replaced");
  CHECK(listener.until([&] {
    return listener.knows("moved") && listener.knows("linked") && listener.knows("replaced");
  }));
}

TEST_CASE("a rename inside tells both names") {
  Scratch scratch;
  write_file(scratch / "a.part", "x");
  auto watcher = open(any_kind(), scratch.path());
  Listener listener(*watcher);
  fs::rename(scratch / "a.part", scratch / "a.png");
  CHECK(
      listener.until([&] { return listener.knows("a.png") && listener.knows_removed("a.part"); }));
}

TEST_CASE("a removed file is told of [A9]") {
  Scratch scratch;
  write_file(scratch / "a", "x");
  auto watcher = open(any_kind(), scratch.path());
  Listener listener(*watcher);
  fs::remove(scratch / "a");
  CHECK(listener.until([&] { return listener.knows_removed("a"); }));
}

TEST_CASE("folders made faster than they can be watched lose nothing [A14]") {
  Scratch scratch;
  auto watcher = open(any_kind(), scratch.path());
  Listener listener(*watcher);
  for (int i = 0; i < 200; ++i) {
    const fs::path deep = scratch.path() / std::to_string(i) / "b" / "c";
    fs::create_directories(deep);
    write_file(deep / "f", "x");
  }
  CHECK(listener.until([&] {
    for (int i = 0; i < 200; ++i) {
      if (!listener.knows(std::to_string(i) + "/b/c/f")) return false;
    }
    return true;
  }));
}

TEST_CASE("a folder moved in is reported with its content and watched from then on [A14]") {
  Scratch outside;
  Scratch scratch;
  fs::create_directories(outside / "tree/below");
  write_file(outside / "tree/a", "x");
  write_file(outside / "tree/below/b", "x");
  auto watcher = open(any_kind(), scratch.path());
  Listener listener(*watcher);
  fs::rename(outside / "tree", scratch / "tree");
  CHECK(listener.until([&] { return listener.knows("tree/a") && listener.knows("tree/below/b"); }));
  listener.events.clear();
  write_file(scratch / "tree/below/later", "x");
  CHECK(listener.until([&] { return listener.knows("tree/below/later"); }));
}

TEST_CASE("a folder renamed inside is watched under its new name") {
  Scratch scratch;
  fs::create_directories(scratch / "a/b");
  const auto kind = any_kind();
  auto watcher = open(kind, scratch.path());
  Listener listener(*watcher);
  fs::rename(scratch / "a", scratch / "z");
  write_file(scratch / "z/b/f", "x");
  CHECK(listener.until([&] { return listener.knows("z/b/f"); }));
  if (kind == Kind::Native && under_wine())
    return not_shown_here("Wine tells of a renamed folder's files by its old name");
  listener.events.clear();
  write_file(scratch / "z/b/g", "x");
  CHECK(listener.until([&] { return listener.knows("z/b/g"); }));
  CHECK_FALSE(listener.knows("a/b/g"));
}

TEST_CASE("a folder moved out is no longer listened to") {
  Scratch outside;
  Scratch scratch;
  fs::create_directories(scratch / "a/b");
  auto watcher = open(any_kind(), scratch.path());
  Listener listener(*watcher);
  fs::rename(scratch / "a", outside / "a");
  write_file(scratch / "mark", "x");
  CHECK(listener.until([&] { return listener.knows("mark"); }));
  write_file(outside / "a/b/f", "x");
  write_file(scratch / "mark2", "x");
  CHECK(listener.until([&] { return listener.knows("mark2"); }));
  CHECK_FALSE(listener.knows("a/b/f"));
}

TEST_CASE("a linked folder is not entered [K1] [K5]") {
  Scratch outside;
  Scratch scratch;
  const auto plant = [&](const char* name, const fs::path& target) {
    return plant_link(scratch / name, path_text(target), LinkTo::Folder);
  };
  if (!plant("link", outside.path()) || !plant("loop", scratch.path()))
    return not_shown_here("links");
  auto watcher = open(any_kind(), scratch.path());
  Listener listener(*watcher);
  REQUIRE(plant("later", outside.path()));
  write_file(outside / "secret", "x");
  write_file(scratch / "mark", "x");
  CHECK(listener.until([&] { return listener.knows("mark"); }));
  for (const char* name : {"link/secret", "later/secret", "loop/mark"}) {
    CHECK_FALSE(listener.knows(name));
  }
}

TEST_CASE("without recursive only the folder itself is heard") {
  Scratch scratch;
  fs::create_directory(scratch / "below");
  auto watcher = open(any_kind(), scratch.path(), false);
  Listener listener(*watcher);
  fs::create_directory(scratch / "new");
  write_file(scratch / "below/f", "x");
  write_file(scratch / "new/f", "x");
  write_file(scratch / "mark", "x");
  CHECK(listener.until([&] { return listener.knows("mark"); }));
  CHECK_FALSE(listener.knows("below/f"));
  CHECK_FALSE(listener.knows("new/f"));
}

TEST_CASE("a root that is removed, renamed or replaced ends the watcher [B6]") {
  Scratch scratch;
  const fs::path root = scratch / "root";
  fs::create_directory(root);
  const auto kind = any_kind();
  const int way = GENERATE(0, 1, 2);
  if (way == 0 && kind == Kind::Native && under_wine())
    return not_shown_here("Wine keeps a removed folder until the last handle to it is closed");
  auto watcher = open(kind, root);
  Listener listener(*watcher);
  if (way == 0) fs::remove(root);
  if (way == 1) fs::rename(root, scratch / "elsewhere");
  if (way == 2) {
    fs::rename(root, scratch / "elsewhere");
    fs::create_directory(root);
  }
  REQUIRE(listener.until([&] { return listener.ended(); }));
  CHECK(std::get<Ended>(listener.events.back()).error.kind == ErrorKind::Environment);
  const auto count = listener.events.size();
  watcher->wait(std::chrono::steady_clock::now(), listener.events);
  CHECK(listener.events.size() == count);
}

TEST_CASE("a parent that is renamed ends the watcher though no event tells [B6]") {
  Scratch scratch;
  const fs::path root = scratch / "parent/root";
  fs::create_directories(root);
  auto watcher = open(any_kind(), root);
  Listener listener(*watcher);
  std::error_code refused;
  fs::rename(scratch / "parent", scratch / "elsewhere", refused);
  if (refused) return not_shown_here("Windows renames no folder above one that is open");
  CHECK(listener.until([&] { return listener.ended(); }));
}

TEST_CASE("wake ends a wait from another thread") {
  Scratch scratch;
  WatchOptions slow{.poll_every = std::chrono::hours{1}};
  auto watcher = any_kind() == Kind::Native ? open_native_watcher(scratch.path(), slow)
                                            : open_polling_watcher(scratch.path(), slow);
  REQUIRE(watcher);
  std::vector<WatchEvent> events;
  std::jthread other([&] { (*watcher)->wake(); });
  const auto start = std::chrono::steady_clock::now();
  (*watcher)->wait(start + std::chrono::seconds{60}, events);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds{10});
}

TEST_CASE("a root that is not there is an environment error") {
  Scratch scratch;
  const auto kind = any_kind();
  const WatchOptions options;
  const auto watcher = kind == Kind::Native ? open_native_watcher(scratch / "no", options)
                                            : open_polling_watcher(scratch / "no", options);
  REQUIRE_FALSE(watcher);
  CHECK(watcher.error().kind == ErrorKind::Environment);
}

TEST_CASE("more changes than fit into one call are all told or said to be lost [D1]") {
  Scratch scratch;
  auto watcher = open(any_kind(), scratch.path());
  Listener listener(*watcher);
  for (int i = 0; i < 5000; ++i) std::ofstream(scratch / std::to_string(i)) << "x";
  CHECK(listener.until([&] { return listener.knows("4999"); }));
  if (!listener.lost_all()) CHECK(listener.knows("0"));
}

TEST_CASE("names of any bytes are passed on as they are [A17]") {
  Scratch scratch;
  auto watcher = open(any_kind(), scratch.path());
  Listener listener(*watcher);
  for (const std::string& name : strange_names()) {
    INFO(printable(name));
    write_file(scratch / name, "x");
    CHECK(listener.until([&] { return listener.knows(name); }));
  }
}

}  // namespace
}  // namespace millrace
