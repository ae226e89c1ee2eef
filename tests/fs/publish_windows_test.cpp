// Renames and removals among programs that hold files.
#include "platform/fs/publish_windows.hpp"

#include "platform/base/long_path_windows.hpp"
#include "platform/fs/at_windows.hpp"
#include "tests/fs/each_file_system.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

struct Box {
  Scratch scratch;
  Handle directory{::CreateFileW(verbatim(scratch.path()).c_str(), FILE_LIST_DIRECTORY, kShareAll,
                                 nullptr, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr)};
  std::chrono::milliseconds waited{0};
  int pauses = 0;
  Handle held;

  // Another program has `name` open and shares as much as that.
  void hold(std::string_view name, DWORD share) {
    held = Handle(::CreateFileW(verbatim(scratch / name).c_str(), GENERIC_READ, share, nullptr,
                                OPEN_EXISTING, 0, nullptr));
    REQUIRE(held);
  }
  Pause counting(int lets_go_after) {
    return [this, lets_go_after](std::chrono::milliseconds time) {
      waited += time;
      if (++pauses == lets_go_after) held = Handle();
    };
  }
  Result<void> move(IfTaken if_taken, int lets_go_after = 1'000) {
    return move_at(directory.get(), L"from", directory.get(), L"to", if_taken, "to",
                   counting(lets_go_after));
  }
  bool has(std::string_view name) { return std::filesystem::exists(scratch / name); }
};

}  // namespace

TEST_CASE("a free name is taken at once, a taken one refused at once [F6]") {
  Box box;
  write_file(box.scratch / "from", "new");
  SECTION("free") {
    REQUIRE(box.move(IfTaken::Refuse));
    CHECK(read_file(box.scratch / "to") == "new");
    CHECK_FALSE(box.has("from"));
  }
  SECTION("taken by a file, whatever the case of its letters [F7]") {
    write_file(box.scratch / "TO", "old");
    CHECK(box.move(IfTaken::Refuse).error().kind == ErrorKind::Exists);
    CHECK(read_file(box.scratch / "to") == "old");
  }
  SECTION("taken by a directory") {
    std::filesystem::create_directory(box.scratch / "to");
    CHECK(box.move(IfTaken::Refuse).error().kind == ErrorKind::Exists);
    CHECK(box.move(IfTaken::Replace).error().kind == ErrorKind::Input);
  }
  CHECK(box.pauses == 0);
}

TEST_CASE("a file that a scanner holds is moved when it lets go [F11]") {
  Box box;
  write_file(box.scratch / "from", "new");
  box.hold("from", FILE_SHARE_READ | FILE_SHARE_WRITE);  // not to be renamed
  REQUIRE(box.move(IfTaken::Refuse, 4));
  CHECK(box.pauses == 4);
  CHECK(read_file(box.scratch / "to") == "new");
}

TEST_CASE("a file that is held for ever is given up after ten seconds [F11]") {
  Box box;
  write_file(box.scratch / "from", "new");
  box.hold("from", FILE_SHARE_READ | FILE_SHARE_WRITE);
  const auto moved = box.move(IfTaken::Refuse);
  REQUIRE_FALSE(moved);
  CHECK(moved.error().kind == ErrorKind::Environment);
  CHECK(moved.error().os_code == ERROR_SHARING_VIOLATION);
  CHECK(box.waited == std::chrono::seconds{10});
  CHECK(box.has("from"));
  CHECK_FALSE(box.has("to"));
}

TEST_CASE("a target that a reader holds is replaced when it lets go [F11]") {
  Box box;
  write_file(box.scratch / "from", "new");
  write_file(box.scratch / "to", "old");
  box.hold("to", FILE_SHARE_READ | FILE_SHARE_WRITE);
  REQUIRE(box.move(IfTaken::Replace, 2));
  CHECK(box.pauses == 2);
  CHECK(read_file(box.scratch / "to") == "new");
}

TEST_CASE("a held file is removed when it is let go, a directory never") {
  Box box;
  write_file(box.scratch / "a", "x");
  std::filesystem::create_directory(box.scratch / "folder");
  box.hold("a", FILE_SHARE_READ | FILE_SHARE_WRITE);
  REQUIRE(remove_at(box.directory.get(), L"a", "a", box.counting(3)));
  CHECK(box.pauses == 3);
  CHECK_FALSE(box.has("a"));
  CHECK(remove_at(box.directory.get(), L"folder", "folder", box.counting(1)).error().kind ==
        ErrorKind::Input);
  CHECK(remove_at(box.directory.get(), L"a", "a", box.counting(1)).error().kind ==
        ErrorKind::Vanished);
}

TEST_CASE("a name whose file is removed while somebody reads it is free at once") {
  Box box;
  write_file(box.scratch / "a", "x");
  box.hold("a", kShareAll);
  REQUIRE(remove_at(box.directory.get(), L"a", "a", box.counting(1)));
  if (under_wine()) return not_shown_here("Wine keeps the name until the reader is gone");
  CHECK_FALSE(box.has("a"));
}
