#include "platform/watch/watch_table.hpp"

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

constexpr int kNone = WatchTable::kNone;

WatchTable small_tree() {
  WatchTable table;
  table.put(1, kNone, "", 1);
  table.put(2, 1, "a", 1);
  table.put(3, 2, "b", 1);
  table.put(4, 1, "c", 1);
  return table;
}

TEST_CASE("a path is put together from its names") {
  const WatchTable table = small_tree();
  CHECK(table.path(1).empty());
  CHECK(table.path(3) == "a/b");
  CHECK(table.depth(3) == 2);
  CHECK(table.child(1, "c") == 4);
  CHECK_FALSE(table.child(1, "b"));
}

TEST_CASE("a directory that stands elsewhere now takes what is beneath it along") {
  WatchTable table = small_tree();
  CHECK(table.put(2, 4, "z", 2) == WatchTable::Put::Moved);
  CHECK(table.path(3) == "c/z/b");
  CHECK_FALSE(table.child(1, "a"));
}

TEST_CASE("a loop is met once and never linked [K5]") {
  WatchTable table = small_tree();
  CHECK(table.put(1, 3, "loop", 1) == WatchTable::Put::Seen);
  CHECK(table.put(2, 3, "loop", 2) == WatchTable::Put::Cyclic);
  CHECK(table.path(3) == "a/b");
}

TEST_CASE("erasing forgets what is beneath; a walk finds what it did not meet") {
  WatchTable table = small_tree();
  table.put(1, kNone, "", 2);
  table.put(4, 1, "c", 2);
  CHECK(table.not_of(2).size() == 2);
  CHECK(table.subtree(2) == std::vector<int>{3, 2});
  table.erase(2);
  CHECK(table.size() == 2);
  CHECK_FALSE(table.holds(3));
  CHECK(table.child(1, "c") == 4);
}

}  // namespace
}  // namespace millrace
