#include "agent/pipeline/intake.hpp"

#include "agent/ledger/sqlite_ledger.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

std::shared_ptr<Folder> watched_folder(const std::string& name, std::size_t root) {
  FolderSettings settings;
  settings.name = name;
  return std::make_shared<Folder>(settings, root, 1, real_file_system(), "test", nullptr);
}

TEST_CASE("up to where an inbox was watched is remembered by its folder over a restart") {
  test::Scratch scratch;
  ManualClock clock;
  const LedgerOptions file{scratch / "ledger.db", clock.wall_now()};
  {
    const auto ledger = open_ledger(file).value();
    Dispatcher dispatcher(clock, 1);
    Intake intake(*ledger, dispatcher, clock);
    for (std::size_t root = 0; root < 2; ++root)
      intake.add({watched_folder(root == 0 ? "a" : "b", root), nullptr});
    CHECK(watched_before(*ledger, "a").empty());
    intake.watched_up_to(0, "one");
    intake.watched_up_to(1, "other");
    intake.watched_up_to(0, "two");
    intake.watched_up_to(7, "of a folder that was taken away");
  }
  const auto ledger = open_ledger(file).value();
  CHECK(watched_before(*ledger, "a") == "two");
  CHECK(watched_before(*ledger, "b") == "other");
  CHECK(watched_before(*ledger, "").empty());
}

}  // namespace
}  // namespace millrace
