#include "agent/cli/agent_view.hpp"

#include <nlohmann/json.hpp>

#include "agent/cli/text_view.hpp"
#include "agent/ledger/sqlite.hpp"
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

// A ledger with one file that was delivered, perhaps for two bills, and `failed` ones.
void write_ledger(const std::filesystem::path& path, int failed) {
  {
    auto ledger = open_ledger({path, SystemClock{}.wall_now()}).value();
    std::vector<Candidate> files;
    for (int i = 0; i <= failed; ++i)
      files.push_back({"photos", std::to_string(i) + ".png", 100, "v1"});
    const TargetSpec webp{"webp", "api"};
    REQUIRE(ledger->admit_all(files, std::span(&webp, 1), SystemClock{}.wall_now()));
  }
  auto database =
      sqlite::Database::open(path, sqlite::Access::Write, std::chrono::milliseconds{1000}).value();
  REQUIRE(
      database.exec("UPDATE job SET state = 'failed', kind = 'input', reason = 'broken';"
                    "UPDATE job SET state = 'delivered', attempt_number = 2"
                    " WHERE id = (SELECT min(id) FROM job);"
                    "INSERT INTO attempt(job, number, converter, key, bytes, begun, extra)"
                    " SELECT min(id), 2, 'api', 'key', 100, 1, 1 FROM job;"
                    "INSERT OR REPLACE INTO folder_count VALUES('photos', 'failed', " +
                    std::to_string(failed) + ");"));
}

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

TEST_CASE("failures beyond those that are listed are counted") {
  Setup setup;
  write_ledger(setup.scratch / "ledger.db", 1003);
  std::filesystem::create_directories(setup.scratch / "batch/one");
  std::filesystem::create_directories(setup.scratch / "batch/downloads");
  write_ledger(setup.scratch / "batch/one/ledger.db", 1002);
  const auto answer = setup.view().failures();
  REQUIRE(answer);
  Json told = Json::parse(*answer);
  CHECK(told["failures"].size() == 1000);
  CHECK(told["more"] == 3);
  CHECK(failures_text(told).find("\n3 more\n") != std::string::npos);
  CHECK(add_failures_of_batches(told, setup.scratch.path()));
  CHECK(told["batches"].size() == 1000);
  CHECK(told["more_in_batches"] == 2);
  CHECK(failures_text(told).find("\n2 more\n") != std::string::npos);
  CHECK_FALSE(add_failures_of_batches(told, setup.scratch / "nowhere"));
  CHECK(told["more_in_batches"] == 0);
}

TEST_CASE("a delivered file that may have been billed twice is told with the failures [P4]") {
  Setup setup;
  write_ledger(setup.scratch / "ledger.db", 0);
  const auto answer = setup.view().failures();
  REQUIRE(answer);
  const Json told = Json::parse(*answer);
  CHECK(told["failures"].empty());
  REQUIRE(told["possible_extra_bills"].size() == 1);
  CHECK(told["possible_extra_bills"][0]["file"] == "0.png");
  CHECK(told["possible_extra_bills"][0]["state"] == "delivered");
  CHECK(failures_text(told) ==
        "nothing has failed\n"
        "requests that may have been billed twice:\n"
        "  photos/0.png to webp: delivered, 1 of 2 requests\n");
}

TEST_CASE("a paused folder says who paused it") {
  Json folder{{"name", "photos"}, {"paused", true}};
  const auto text = [&] { return status_text({{"folders", {folder}}, {"converters", {}}}); };
  CHECK(text().find("paused by hand") != std::string::npos);
  folder["pause_reason"] = "the converter has refused 10 files in a row";
  CHECK(text().find("paused: the converter has refused 10 files") != std::string::npos);
}

}  // namespace millrace
