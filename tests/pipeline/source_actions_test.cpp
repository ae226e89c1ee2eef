#include "agent/pipeline/source_actions.hpp"

#include <cerrno>
#include <chrono>

#include "agent/ledger/sqlite_ledger.hpp"
#include "agent/report/log.hpp"
#include "tests/fs/forgetful_file_system.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("a leftover that cannot be removed is tried again, and then never looked for [F12]") {
  [[maybe_unused]] static const auto quiet = start_log("off");
  const Scratch scratch;
  const SystemClock clock;
  const auto ledger =
      open_ledger({scratch / "ledger.db", clock.wall_now(), std::chrono::seconds{60}}).value();
  ForgetfulFileSystem files;
  const auto box = files.make_directory("/out").value();
  FolderSettings settings;
  settings.name = "f";
  settings.outbox = "/out";
  Folder folder(settings, 0, 1, files, "me", nullptr);

  const Name leftover = ".millrace-me-7-0123456789abcdef.tmp";
  const auto leave = [&] { REQUIRE(box->create(leftover)); };
  leave();
  files.fail_at(1, EACCES);  // the removal: somebody holds it
  CHECK(remove_leftovers(folder, *ledger));
  CHECK(box->info(leftover));
  CHECK(remove_leftovers(folder, *ledger));
  CHECK(box->info(leftover).error().kind == ErrorKind::Vanished);

  // All was looked through, and no work was cut off since.
  leave();
  CHECK(remove_leftovers(folder, *ledger));
  CHECK(box->info(leftover));
}
