// Events as FSEvents tells them, over a real folder, on every system.
#include "platform/watch/fs_event_reader.hpp"

#include <algorithm>

#include "platform/watch/fs_event.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using namespace fs_event;

constexpr const char* kSystemPath = "/Users/ada/In";

class Reading {
 public:
  explicit Reading(bool recursive = true)
      : reader_(root_, kSystemPath, {.recursive = recursive}, root_identity(root_).value()) {}

  void hear(std::uint32_t flags, const std::string& name) {
    reader_.take(flags, name.empty() ? kSystemPath : std::string(kSystemPath) + "/" + name);
  }
  // What came of it: "moved a, lost below b, ended", sorted.
  std::string told() {
    std::vector<WatchEvent> events;
    do reader_.hand_out(events);
    while (reader_.has_events());
    std::vector<std::string> texts;
    for (const WatchEvent& event : events) texts.push_back(text_of(event));
    std::ranges::sort(texts);
    std::string all;
    for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
    return all;
  }

  fs::path path(const std::string& name) const { return root_ / name; }
  void make(const std::string& name) const {
    fs::create_directories(path(name).parent_path());
    test::write_file(path(name), "x");
  }
  FsEventReader& reader() { return reader_; }

 private:
  static fs::path made(fs::path root) {
    fs::create_directory(root);
    return root;
  }
  static std::string text_of(const WatchEvent& event) {
    if (const auto* lost = std::get_if<Lost>(&event))
      return lost->below.empty() ? "lost all" : "lost below " + lost->below;
    if (std::holds_alternative<Ended>(event)) return "ended";
    const auto& touched = std::get<Touched>(event);
    if (touched.change == Change::Removed) return "removed " + touched.name;
    return (touched.change == Change::Moved ? "moved " : "written ") + touched.name;
  }

  test::Scratch scratch_;
  fs::path root_ = made(scratch_ / "in");
  FsEventReader reader_;
};

TEST_CASE("the name of an event is what follows the root in its path") {
  struct Row {
    const char* path;
    const char* root;
    const char* name;  // null: not in it
  };
  const Row row = GENERATE(values<Row>({
      {"/a/b/c.png", "/a/b", "c.png"},
      {"/a/b/c/d.png", "/a/b/", "c/d.png"},
      {"/a/b/c/", "/a/b", "c"},
      {"/a/b", "/a/b", ""},
      {"/a/b/", "/a/b", ""},
      {"/a/bc/d", "/a/b", nullptr},
      {"/a", "/a/b", nullptr},
      {"/System/Volumes/Data/a/b/c", "/a/b", "c"},
      {"/a/b/c", "/System/Volumes/Data/a/b", "c"},
      {"/System/Volumes/Database/c", "/System/Volumes", "Database/c"},
      {"/c.png", "/", "c.png"},
      {"/", "/", ""},
  }));
  CAPTURE(row.path, row.root);
  const auto name = name_beneath(row.path, row.root);
  REQUIRE(name.has_value() == (row.name != nullptr));
  if (name) CHECK(*name == row.name);
}

TEST_CASE("what FSEvents put together is told by what lies there now") {
  Reading in;
  in.make("a.png");
  in.hear(kItemIsFile | kItemCreated | kItemModified, "a.png");
  CHECK(in.told() == "written a.png");
  in.hear(kItemIsFile | kItemRenamed, "a.png");
  CHECK(in.told() == "moved a.png");
  in.hear(kItemIsFile | kItemCreated | kItemRemoved, "gone.png");
  CHECK(in.told() == "removed gone.png");
}

TEST_CASE("the same event twice is told once") {
  Reading in;
  in.make("a.png");
  for (int i = 0; i < 3; ++i) in.hear(kItemIsFile | kItemModified, "a.png");
  CHECK(in.told() == "written a.png");
}

TEST_CASE("a folder that comes with content is listed") {
  Reading in;
  in.make("new/a.png");
  in.make("new/deep/b.png");
  in.hear(kItemIsDir | kItemRenamed, "new");
  CHECK(in.told() == "moved new/a.png, moved new/deep/b.png");
  in.hear(kItemIsDir | kItemCreated, "new");
  CHECK(in.told() == "written new/a.png, written new/deep/b.png");
}

TEST_CASE("a folder with more than fits is a loss there") {
  Reading in;
  for (std::size_t i = 0; i <= Watcher::kMostEvents; ++i) in.make("new/" + std::to_string(i));
  in.hear(kItemIsDir | kItemRenamed, "new");
  CHECK(in.told().find("lost below new") != std::string::npos);
}

TEST_CASE("without subfolders nothing of them is told") {
  Reading in(false);
  in.make("sub/a.png");
  in.make("b.png");
  in.hear(kItemIsFile | kItemCreated, "sub/a.png");
  in.hear(kItemIsDir | kItemCreated, "sub");
  in.hear(kItemIsFile | kItemCreated, "b.png");
  CHECK(in.told() == "written b.png");
}

TEST_CASE("a root that is gone ends the reader") {
  Reading in;
  in.hear(kRootChanged, "");
  CHECK(in.told().empty());  // it is still the same folder
  fs::rename(in.path(""), in.path("").parent_path().parent_path() / "elsewhere");
  in.hear(kRootChanged, "");
  CHECK(in.reader().ended());
  in.hear(kItemIsFile | kItemCreated, "a.png");
  in.reader().lose("nothing comes after the end");
  CHECK(in.told() == "ended");
}

TEST_CASE("lost events are a loss of everything") {
  Reading in;
  in.hear(kMustScanSubDirs | kUserDropped, "");
  CHECK(in.told() == "lost all");
  in.reader().lose("more at once than fit");
  CHECK(in.told() == "lost all");
}

}  // namespace
}  // namespace millrace
