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
  explicit Reading(bool recursive = true) : Reading({.recursive = recursive}, std::nullopt) {}
  Reading(const WatchOptions& options, std::optional<FsEventPosition> now)
      : reader_(root_, kSystemPath, options, root_identity(root_).value(), now) {}

  void hear(std::uint32_t flags, const std::string& name, std::uint64_t id = 0) {
    reader_.take(flags, name.empty() ? kSystemPath : std::string(kSystemPath) + "/" + name, id);
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

// -- positions -----------------------------------------------------------------------------------

constexpr std::uint32_t kFileWritten = kItemIsFile | kItemModified;

FsEventPosition at(std::uint64_t id) {
  FsEventPosition position{.id = id};
  position.history.fill(0xab);
  return position;
}

std::string text_at(std::uint64_t id) { return position_text(at(id)); }

TEST_CASE("without a position of before, only what comes is told and its ids are kept") {
  Reading in({}, at(100));
  CHECK_FALSE(in.reader().begins_after());
  CHECK(in.reader().position() == text_at(100));
  in.make("a.png");
  in.hear(kItemIsFile | kItemRenamed, "a.png", 107);
  CHECK(in.told() == "moved a.png");
  CHECK(in.reader().position() == text_at(107));
  in.hear(kRootChanged, "", 0);
  CHECK(in.told().empty());
  CHECK(in.reader().position() == text_at(107));
}

TEST_CASE("a volume without a history has no positions") {
  Reading in({.since = text_at(5)}, std::nullopt);
  CHECK_FALSE(in.reader().begins_after());
  in.make("a.png");
  in.hear(kFileWritten, "a.png", 7);
  CHECK(in.told() == "written a.png");
  CHECK(in.reader().position().empty());
}

TEST_CASE("a position covers no event that is still to be handed out") {
  Reading in({}, at(100));
  in.make("a.png");
  in.make("b.png");
  in.hear(kFileWritten, "a.png", 101);
  in.hear(kFileWritten, "b.png", 102);
  CHECK(in.reader().position() == text_at(100));
  for (std::size_t i = 0; i < Watcher::kMostEvents; ++i)
    in.hear(kFileWritten, i % 2 == 0 ? "a.png" : "b.png", 103 + i);
  std::vector<WatchEvent> events;
  in.reader().hand_out(events);
  REQUIRE(in.reader().has_events());
  CHECK(in.reader().position() == text_at(100));
  in.reader().hand_out(events);
  REQUIRE_FALSE(in.reader().has_events());
  CHECK(in.reader().position() == text_at(102 + Watcher::kMostEvents));
}

TEST_CASE("what changed before is told as written until the history is done") {
  Reading in({.since = text_at(40)}, at(100));
  CHECK(in.reader().begins_after() == 40);
  in.make("before.png");
  in.make("now.png");
  in.hear(kItemIsFile | kItemRenamed, "before.png", 60);
  in.hear(kItemIsFile | kItemRemoved, "gone.png", 61);
  in.hear(kMustScanSubDirs, "", 62);
  in.hear(kItemIsFile | kItemRenamed, "now.png", 101);  // it is of now, whatever comes after it
  CHECK(in.told() == "moved now.png, written before.png");
  CHECK(in.reader().position() == text_at(40));  // more of before may come
  in.hear(kHistoryDone, "", 0);
  CHECK(in.told().empty());
  CHECK(in.reader().position() == text_at(101));
  in.hear(kItemIsFile | kItemRenamed, "before.png", 90);
  CHECK(in.told() == "moved before.png");
}

TEST_CASE("a history in which nothing happened ends where it stood at the start") {
  Reading in({.since = text_at(40)}, at(100));
  in.hear(kHistoryDone, "", 0);
  CHECK(in.told().empty());
  CHECK(in.reader().position() == text_at(100));
}

TEST_CASE("ids that wrapped begin anew") {
  Reading in({.since = text_at(40)}, at(100));
  in.make("a.png");
  in.hear(kEventIdsWrapped, "");
  CHECK(in.told() == "lost all");
  CHECK(in.reader().position().empty());
  in.hear(kFileWritten, "a.png", 3);
  CHECK(in.told() == "written a.png");
  CHECK(in.reader().position() == text_at(3));
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
