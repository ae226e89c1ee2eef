#include "platform/fs/path_text.hpp"

#include <cstdlib>

#include "tests/support/catch.hpp"

using namespace millrace;

TEST_CASE("relative names that can only lead downwards are valid [K7]") {
  for (const std::string_view good : {"a", "a/b", "...", "a b", "-", "..a", "\xff", "a\\..\\b"})
    CHECK(check_relative_name(good));
  for (const std::string_view bad :
       {"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b"})
    CHECK(check_relative_name(bad).error().kind == ErrorKind::Input);
  CHECK_FALSE(check_relative_name(std::string_view("a\0b", 3)));
}

TEST_CASE("a name is at most 64 parts deep [K5]") {
  std::string name = "x";
  for (std::size_t i = 1; i < kMaxNameDepth; ++i) name += "/x";
  CHECK(check_relative_name(name));
  CHECK_FALSE(check_relative_name(name + "/x"));
}

TEST_CASE("names are taken apart and put together") {
  CHECK(parent_of("a/b/c") == "a/b");
  CHECK(leaf_of("a/b/c") == "c");
  CHECK(parent_of("c").empty());
  CHECK(leaf_of("c") == "c");
  CHECK(join_name("a", "b") == "a/b");
  CHECK(join_name("", "b") == "b");
  CHECK(split_name("a/b") == std::vector<std::string_view>{"a", "b"});
}

TEST_CASE("a tilde is the home folder, at the beginning and alone") {
  CHECK(expand_home("~/in", "/home/u") == "/home/u/in");
  CHECK(expand_home("~", "/home/u") == "/home/u");
  CHECK(expand_home("~/", "/home/u") == "/home/u");
  CHECK(expand_home("~other/in", "/home/u") == "~other/in");
  CHECK(expand_home("/a/~/b", "/home/u") == "/a/~/b");
}
