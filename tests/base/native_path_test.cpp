#include "platform/base/native_path.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/strangers.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

TEST_CASE("names of any script come back from a path, and from the disk, as they were") {
  const test::Scratch scratch;
  for (const std::string name : {"plain.png", "gr\u00f6\u00dfe \u20ac.png", "\u65e5\u672c.png",
                                 "\U0001f4f7.png", "e\u0301.png", "\u05e9\u05dc\u05d5\u05dd.png"}) {
    INFO(name);
    CHECK(path_text(native_path(name)) == name);
    CHECK(generic_path_text(native_path("a") / native_path(name)) == "a/" + name);
    test::write_file(scratch / name, name);
    bool found = false;
    for (const auto& entry : std::filesystem::directory_iterator(scratch.path()))
      found = found || path_text(entry.path().filename()) == name;
    CHECK(found);
  }
}

TEST_CASE("every strange name that the system takes is the same after two turns") {
  for (const std::string& name : test::strange_names()) {
    INFO(name);
    CHECK(path_text(native_path(name)) == name);
  }
}

TEST_CASE("a path that a person writes becomes absolute and loses what it ends with") {
  const fs::path here = fs::current_path();
  CHECK(full_path("in", here) == here / "in");
  CHECK(full_path("in/", here) == here / "in");
  CHECK(full_path("two words//", here) == here / "two words");
  CHECK(full_path("./a/../in", here) == here / "in");
  CHECK(full_path(native_path("größe/in/"), here) == here / native_path("größe") / "in");
  CHECK(full_path(here / "in" / "", "elsewhere") == here / "in");
  CHECK(full_path(here.root_path(), here) == here.root_path());
}

}  // namespace
}  // namespace millrace
