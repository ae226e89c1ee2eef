#include "platform/watch/fs_event.hpp"

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

using namespace fs_event;
using enum Presence;

// A meaning on one line: "moved a/b", "lost below a/b", "list as written", "check root", "nothing".
std::string text_of(const FsEventMeaning& meaning) {
  if (meaning.follow_up == FollowUp::ListAsMoved) return "list as moved";
  if (meaning.follow_up == FollowUp::ListAsWritten) return "list as written";
  if (meaning.follow_up == FollowUp::CheckRoot) return "check root";
  if (!meaning.event) return "nothing";
  if (const auto* lost = std::get_if<Lost>(&*meaning.event))
    return lost->below.empty() ? "lost all" : "lost below " + lost->below;
  const auto& touched = std::get<Touched>(*meaning.event);
  switch (touched.change) {
    case Change::Moved:
      return "moved " + touched.name;
    case Change::Written:
      return "written " + touched.name;
    case Change::Removed:
      return "removed " + touched.name;
    case Change::Closed:
      break;
  }
  return "closed " + touched.name;
}

TEST_CASE("what each flag of FSEvents means [B1] [B6]") {
  struct Row {
    std::uint32_t flags;
    const char* name;
    Presence presence;
    const char* meaning;
  };
  const Row row = GENERATE(values<Row>({
      // of the stream
      {kMustScanSubDirs, "a", Folder, "lost below a"},
      {kMustScanSubDirs, "", Folder, "lost all"},
      {kMustScanSubDirs | kUserDropped, "", Folder, "lost all"},
      {kMustScanSubDirs | kKernelDropped, "a", Folder, "lost below a"},
      {kUserDropped, "", Folder, "lost all"},
      {kKernelDropped, "", Folder, "lost all"},
      {kEventIdsWrapped, "a", File, "lost all"},
      {kHistoryDone, "", Folder, "nothing"},
      {kRootChanged, "", Missing, "check root"},
      {kMount, "", Folder, "check root"},
      {kUnmount, "", Folder, "check root"},
      {0, "a", Folder, "lost below a"},
      {0, "", Folder, "nothing"},
      // of files
      {kItemIsFile | kItemCreated, "a", File, "written a"},
      {kItemIsFile | kItemModified, "a", File, "written a"},
      {kItemIsFile | kItemInodeMetaMod, "a", File, "written a"},
      {kItemIsFile | kItemFinderInfoMod, "a", File, "written a"},
      {kItemIsFile | kItemChangeOwner, "a", File, "written a"},
      {kItemIsFile | kItemXattrMod, "a", File, "written a"},
      {kItemIsFile | kItemCloned, "a", File, "written a"},
      {kItemIsFile | kItemRenamed, "a", File, "moved a"},
      {kItemIsFile | kItemRenamed, "a", Missing, "removed a"},
      {kItemIsFile | kItemRemoved, "a", Missing, "removed a"},
      // put together: only a look tells what came last
      {kItemIsFile | kItemCreated | kItemRemoved, "a", Missing, "removed a"},
      {kItemIsFile | kItemCreated | kItemRemoved, "a", File, "written a"},
      {kItemIsFile | kItemCreated | kItemRenamed, "a", File, "written a"},
      {kItemIsFile | kItemModified | kItemRenamed, "a", File, "written a"},
      {kItemIsFile | kItemRenamed | kItemXattrMod | kItemInodeMetaMod, "a", File, "moved a"},
      {kItemIsFile | kItemRemoved | kItemRenamed, "a", File, "moved a"},
      {kItemIsFile | kItemRemoved, "a", Folder, "nothing"},
      {kItemIsFile | kItemRemoved | kItemCreated | kItemIsDir, "a", Folder, "list as written"},
      // flags that change nothing
      {kItemIsFile | kItemModified | kOwnEvent, "a", File, "written a"},
      {kItemIsFile | kItemCreated | kItemIsHardlink, "a", File, "written a"},
      {kItemIsFile | kItemRemoved | kItemIsHardlink | kItemIsLastHardlink, "a", Missing,
       "removed a"},
      {kItemIsSymlink | kItemCreated, "a", Other, "written a"},
      {kItemIsSymlink | kItemRemoved, "a", Missing, "removed a"},
      // of folders
      {kItemIsDir | kItemCreated, "a", Folder, "list as written"},
      {kItemIsDir | kItemRenamed, "a", Folder, "list as moved"},
      {kItemIsDir | kItemRenamed, "a", Missing, "removed a"},
      {kItemIsDir | kItemRemoved, "a", Missing, "removed a"},
      {kItemIsDir | kItemChangeOwner, "a", Folder, "list as written"},
      {kItemIsDir | kItemInodeMetaMod, "a", Folder, "list as written"},
      {kItemIsDir | kItemXattrMod, "a", Folder, "nothing"},
      {kItemIsDir | kItemFinderInfoMod, "a", Folder, "nothing"},
      {kItemIsDir | kItemInodeMetaMod, "", Folder, "nothing"},
  }));
  CAPTURE(row.flags, row.name);
  CHECK(text_of(meaning_of(row.flags, row.name, row.presence)) == row.meaning);
}

TEST_CASE("what each flag of FSEvents means in an event of before [B1]") {
  struct Row {
    std::uint32_t flags;
    const char* name;
    Presence presence;
    const char* meaning;
  };
  const Row row = GENERATE(values<Row>({
      // names to look at, of which nothing else is known
      {kItemIsFile | kItemCreated, "a", File, "written a"},
      {kItemIsFile | kItemModified, "a", File, "written a"},
      {kItemIsFile | kItemRenamed, "a", File, "written a"},
      {kItemIsFile | kItemRemoved | kItemRenamed, "a", File, "written a"},
      {kItemIsSymlink | kItemCreated, "a", Other, "written a"},
      {kItemIsDir | kItemCreated, "a", Folder, "list as written"},
      {kItemIsDir | kItemRenamed, "a", Folder, "list as written"},
      // nothing is there to look at
      {kItemIsFile | kItemRemoved, "a", Missing, "nothing"},
      {kItemIsFile | kItemRenamed, "a", Missing, "nothing"},
      {kItemIsDir | kItemRemoved, "a", Missing, "nothing"},
      {kItemIsDir | kItemInodeMetaMod, "a", Folder, "nothing"},
      {kItemIsDir | kItemInodeMetaMod, "", Folder, "nothing"},
      // the scan at the start finds what the history does not tell
      {kMustScanSubDirs, "a", Folder, "nothing"},
      {kMustScanSubDirs, "", Folder, "nothing"},
      {0, "a", Folder, "nothing"},
      // of the stream, and so of now
      {kMustScanSubDirs | kUserDropped, "", Folder, "lost all"},
      {kMustScanSubDirs | kKernelDropped, "a", Folder, "lost below a"},
      {kEventIdsWrapped, "a", File, "lost all"},
      {kHistoryDone, "", Folder, "nothing"},
      {kRootChanged, "", Missing, "check root"},
      {kUnmount, "", Folder, "check root"},
  }));
  CAPTURE(row.flags, row.name);
  CHECK(text_of(history_meaning_of(row.flags, row.name, row.presence)) == row.meaning);
}

}  // namespace
}  // namespace millrace
