// Hears about changes beneath one root. Events are hints, a scan is the truth: whatever a watcher
// loses, it says so, and the owner rescans there.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "platform/base/clock.hpp"
#include "platform/base/file_system_nature.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// Folders that lie deeper beneath the root are not looked into.
inline constexpr int kDeepestFolder = 64;

enum class Change {
  Moved,    // renamed or linked to this name: whole by the writer's own act
  Closed,   // the last writer closed it
  Written,  // created, written, or its attributes changed
  Removed,  // deleted, or renamed away; of a directory: something beneath it is gone
};

struct Touched {
  std::string name;
  Change change;
};  // look at this name (relative, `/`; a poll keeps no names and reports removals for "")
struct Lost {
  std::string below;
  std::string why;
};  // events are missing: rescan below ("" = all)
struct Ended {
  Error error;
};  // no more events: open a new watcher
using WatchEvent = std::variant<Touched, Lost, Ended>;

// One owner thread calls everything but wake().
class Watcher {
 public:
  virtual ~Watcher() = default;

  // Waits until events are there, `deadline` has passed, or wake() was called; appends what is
  // there, oldest first, at most `kMostEvents` a call. Appends nothing after Ended.
  // Ended (Environment) comes when the root is removed, renamed, over-mounted or unmounted (within
  // 5 s or one poll where the system does not say so), and when the watch limit is reached later.
  virtual void wait(TimePoint deadline, std::vector<WatchEvent>& events) = 0;
  // Ends the current or the next wait() early. Any thread; never blocks.
  virtual void wake() = 0;
  // How the root is watched, for people: "inotify", "polling every 10 s".
  virtual std::string describe() const = 0;
  // Where a later watcher of this root may begin (WatchOptions::since), in this process or another:
  // it covers no event that wait() has not appended yet. Opaque; empty where the system keeps no
  // history, which is all but macOS. Never blocks.
  virtual std::string position() const { return {}; }

  static constexpr std::size_t kMostEvents = 4096;
};

struct WatchOptions {
  bool recursive = true;
  // Time between two looks when polling; a look that takes long is followed by a longer rest.
  Duration poll_every = std::chrono::seconds{10};
  // Called on the owner's thread between the system calls of a long wait(), so that a slow share
  // can be told from a hung one. May be empty.
  std::function<void()> still_alive = {};
  // What position() of an earlier watcher of this root gave; empty for none. Names that changed
  // since are told as Written soon after the start, before or between what happens then. No promise
  // goes with it: the system may have thrown its history away, so that the owner scans all the same
  // and gains an order. A text that is of no use is passed over.
  std::string since = {};
};

enum class ChangeEvents {
  Complete,  // all changes come through this kernel: events tell of them
  Partial    // others change files behind the mount: poll
};
// What kind of file system a root is on, read once when it is opened.
struct FileSystemKind {
  FileSystemNature nature = FileSystemNature::Local;
  ChangeEvents events = ChangeEvents::Complete;
  std::string name;  // for people: "ext4", "cifs", "fuse.sshfs"
};
// Environment if the root is not there. May block on a share.
Result<FileSystemKind> file_system_kind(const std::filesystem::path& root);
Result<FileSystemNature> nature_of(const std::filesystem::path& root);

// Both see the same contract suite. The root must exist; Environment if it does not or if it cannot
// be watched.
Result<std::unique_ptr<Watcher>> open_native_watcher(const std::filesystem::path& root,
                                                     const WatchOptions& options);
Result<std::unique_ptr<Watcher>> open_polling_watcher(const std::filesystem::path& root,
                                                      const WatchOptions& options);
// Whether the error of a native watcher, of its opening or of its end, says that the root is well
// and has to be polled: the watch limit (on Linux the message names the sysctl to raise), or a file
// system that tells nothing.
bool asks_for_polling(const Error& error);

}  // namespace millrace
