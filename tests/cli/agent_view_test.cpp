#include "agent/cli/agent_view.hpp"

#include <nlohmann/json.hpp>

#include "agent/cli/text_view.hpp"
#include "agent/ledger/sqlite_ledger.hpp"
#include "platform/base/native_path.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

using Json = nlohmann::json;

// The view of a ledger without an agent, with one folder.
struct Setup {
  Setup() {
    FolderSettings folder;
    folder.name = "photos";
    folder.inbox = scratch / "inbox";
    folder.to = {"webp"};
    settings.folders.push_back(folder);
    REQUIRE(open_ledger({scratch / "ledger.db", SystemClock{}.wall_now()}));
  }
  AgentView view() { return {nullptr, settings, *open_ledger_reader(scratch / "ledger.db")}; }

  test::Scratch scratch;
  Settings settings;
};

}  // namespace

TEST_CASE("a name that is not UTF-8 is explained like any other") {
  Setup setup;
  // Half a surrogate pair, which Windows has in names as well.
  const auto path = setup.scratch.path() / native_path("inbox/.\xed\xa0\x80/a.png");
  const auto answer = setup.view().explain(path_text(path));
  REQUIRE(answer);
  const Json json = Json::parse(*answer);
  CHECK(json["folder"] == "photos");
  CHECK(json["says"].dump().find("is always left out") != std::string::npos);
}

TEST_CASE("what a folder has learnt about each kind of writer is explained") {
  Setup setup;
  {
    auto ledger = open_ledger({setup.scratch / "ledger.db", SystemClock{}.wall_now()}).value();
    REQUIRE(ledger->remember("quiet/photos", "4s"));
    REQUIRE(ledger->remember("quiet_moved/photos", "600ms"));
    REQUIRE(ledger->flush());
  }
  const auto answer = setup.view().explain(path_text(setup.scratch / "inbox/a.png"));
  REQUIRE(answer);
  const std::string says = Json::parse(*answer)["says"].dump();
  CHECK(says.find("has learnt to wait for 4s without change\"") != std::string::npos);
  CHECK(
      says.find("has learnt to wait for 600ms without change after a file was moved into place") !=
      std::string::npos);
}

TEST_CASE("a paused folder says who paused it") {
  Json folder{{"name", "photos"}, {"paused", true}};
  const auto text = [&] { return status_text({{"folders", {folder}}, {"converters", {}}}); };
  CHECK(text().find("paused by hand") != std::string::npos);
  folder["pause_reason"] = "the converter has refused 10 files in a row";
  CHECK(text().find("paused: the converter has refused 10 files") != std::string::npos);
}

}  // namespace millrace
