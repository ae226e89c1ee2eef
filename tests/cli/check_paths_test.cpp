#include "agent/cli/check_paths.hpp"

#include "platform/base/native_path.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/strangers.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

TEST_CASE("the nearest part of a path that is there") {
  const test::Scratch scratch;
  CHECK(nearest_existing(scratch / "a/b/c") == scratch.path());
  CHECK(nearest_existing(scratch.path()) == scratch.path());
  CHECK(nearest_existing("/") == "/");
}

TEST_CASE("a folder that could be made is no trouble, and is not made") {
  const test::Scratch scratch;
  CHECK_FALSE(why_not_writable(scratch / "a/b"));
  CHECK_FALSE(fs::exists(scratch / "a"));
  CHECK(why_not_there(scratch / "a/b")->message.find("does not exist") != std::string::npos);
}

TEST_CASE("a file in the place of a folder is told") {
  const test::Scratch scratch;
  test::write_file(scratch / "f", "x");
  CHECK(why_not_there(scratch / "f")->message.find("is not a folder") != std::string::npos);
  CHECK(why_not_writable(scratch / "f/below")->message.find("cannot be made") != std::string::npos);
}

TEST_CASE("a link to nowhere is told as such") {
  const test::Scratch scratch;
  if (!test::plant_link(scratch / "link", path_text(scratch / "gone"), test::LinkTo::Folder))
    return test::not_shown_here("links");
  CHECK(why_not_there(scratch / "link")->message.find("is a link to something") !=
        std::string::npos);
  CHECK(why_not_writable(scratch / "link")->message.find("is a link to something") !=
        std::string::npos);
}

TEST_CASE("paths are compared by what they lead to") {
  const test::Scratch scratch;
  fs::create_directories(scratch / "real/in");
  if (!test::plant_link(scratch / "other", path_text(scratch / "real"), test::LinkTo::Folder))
    return test::not_shown_here("links");
  Settings settings;
  FolderSettings folder;
  folder.inbox = scratch / "real/in";
  folder.outbox = scratch / "other/in/out";  // not there yet
  folder.archive = scratch / "archive";
  settings.folders.push_back(folder);
  const Settings real = with_real_places(settings);
  CHECK(real.folders[0].outbox == fs::canonical(scratch / "real/in") / "out");
  CHECK(real.folders[0].archive == fs::canonical(scratch.path()) / "archive");
  CHECK(real.folders[0].quarantine.empty());
}

}  // namespace
}  // namespace millrace
