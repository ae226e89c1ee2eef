// An outbox of which one folder takes no files.
#include "agent/deliver/local_outbox.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/privilege_linux.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("a folder in an outbox that takes no files is told before anything is paid for [F2]") {
  const Scratch scratch;
  std::filesystem::permissions(scratch.path(), std::filesystem::perms(0777));
  for (const char* folder : {"closed", "closed/inner", "open"})
    std::filesystem::create_directory(scratch / folder);
  std::filesystem::permissions(scratch / "open", std::filesystem::perms(0777));
  const auto answers = [&] {
    const auto outbox = open_local_outbox(real_file_system(), scratch.path()).value();
    if (!outbox->check_space(0)) return 1;
    if (!outbox->check_place("a")) return 2;
    if (!outbox->check_place("open/none/a")) return 3;
    if (outbox->check_place("closed/a").error().kind != ErrorKind::Environment) return 4;
    if (outbox->check_place("closed/none/a").error().kind != ErrorKind::Environment) return 5;
    return 0;
  };
  for (const int mode : {0755, 0000}) {  // not to be written to, not to be entered
    CAPTURE(mode);
    std::filesystem::permissions(scratch / "closed", std::filesystem::perms(mode));
    CHECK(as_nobody(answers) == 0);
  }
  std::filesystem::permissions(scratch / "closed", std::filesystem::perms(0755));
}
