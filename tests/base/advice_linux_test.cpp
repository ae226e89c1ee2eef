#include "platform/base/advice.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {

TEST_CASE("a path in a command is quoted where a shell would split it") {
  CHECK(shell_text("/a/b-c.1") == "/a/b-c.1");
  CHECK(shell_text("/a b") == "'/a b'");
  CHECK(shell_text("/it's; rm $x") == "'/it'\\''s; rm $x'");
}

TEST_CASE("advice is the command that mends it, for a file and for a folder") {
  const test::Scratch scratch;
  test::write_file(scratch / "key", "");
  const std::string folder = scratch.path(), file = folder + "/key";
  CHECK(how_to_make_folder("/a b") == "mkdir -p '/a b'");
  CHECK(how_to_close(file) == "chmod 600 " + file);
  CHECK(how_to_close(folder) == "chmod 700 " + folder);
  CHECK(how_to_keep_from_change(file) == "chmod o-w " + file);
  CHECK(how_to_let_read(file).ends_with("(chmod u+r " + file + ")"));
  CHECK(how_to_let_read(folder).ends_with("(chmod u+rx " + folder + ")"));
  CHECK(how_to_let_write(folder).ends_with("(chown or chmod u+wx " + folder + ")"));
}

}  // namespace millrace
