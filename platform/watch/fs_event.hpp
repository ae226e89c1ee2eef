// What one event of FSEvents means. Pure: the tables of its tests run everywhere, the thin shell
// around the C interface on macOS alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/watch/watcher.hpp"

namespace millrace {

// kFSEventStreamEventFlag*, as Apple's FSEvents.h has them.
namespace fs_event {
constexpr std::uint32_t kMustScanSubDirs = 0x1;
constexpr std::uint32_t kUserDropped = 0x2;
constexpr std::uint32_t kKernelDropped = 0x4;
constexpr std::uint32_t kEventIdsWrapped = 0x8;
constexpr std::uint32_t kHistoryDone = 0x10;
constexpr std::uint32_t kRootChanged = 0x20;
constexpr std::uint32_t kMount = 0x40;
constexpr std::uint32_t kUnmount = 0x80;
constexpr std::uint32_t kItemCreated = 0x100;
constexpr std::uint32_t kItemRemoved = 0x200;
constexpr std::uint32_t kItemInodeMetaMod = 0x400;
constexpr std::uint32_t kItemRenamed = 0x800;
constexpr std::uint32_t kItemModified = 0x1000;
constexpr std::uint32_t kItemFinderInfoMod = 0x2000;
constexpr std::uint32_t kItemChangeOwner = 0x4000;
constexpr std::uint32_t kItemXattrMod = 0x8000;
constexpr std::uint32_t kItemIsFile = 0x10000;
constexpr std::uint32_t kItemIsDir = 0x20000;
constexpr std::uint32_t kItemIsSymlink = 0x40000;
constexpr std::uint32_t kOwnEvent = 0x80000;
constexpr std::uint32_t kItemIsHardlink = 0x100000;
constexpr std::uint32_t kItemIsLastHardlink = 0x200000;
constexpr std::uint32_t kItemCloned = 0x400000;
}  // namespace fs_event

// What lies at the name of the event now (links not followed). FSEvents adds up what happened to a
// name: "created, removed and renamed" may be one event, and only a look tells what came last.
enum class Presence { Missing, File, Folder, Other };

enum class FollowUp {
  Nothing,
  ListAsWritten,  // report the content of the folder at the name: it came with it, or is readable
  ListAsMoved,    // the same, renamed into place
  CheckRoot,      // the root was moved, or a volume came or went: compare its identity
};

struct FsEventMeaning {
  std::optional<WatchEvent> event;
  FollowUp follow_up = FollowUp::Nothing;
};

// The name beneath the root of the path of an event, "" for the root itself; nothing for a path
// that is not in it. `root` is the path as the system itself writes it (F_GETPATH in fcntl(2)).
std::optional<std::string> name_beneath(std::string_view path, std::string_view root);

// `name` is relative to the root, "" for the root itself.
FsEventMeaning meaning_of(std::uint32_t flags, const std::string& name, Presence presence);
// The same for an event of before the stream began. It says that the name changed, and not how it
// is by now: what is there is reported as written, to be looked at. What the history does not tell
// (names that are gone, events that were put together) is no loss: whoever opens a watcher scans.
FsEventMeaning history_meaning_of(std::uint32_t flags, const std::string& name, Presence presence);

}  // namespace millrace
