// Hears about changes beneath one root. Events are hints, a scan is the truth: whatever a watcher
// loses, it says so, and the owner rescans there.
#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

enum class Change {
  Moved,    // renamed or linked to this name: whole by the writer's own act
  Closed,   // the last writer closed it
  Written,  // created, written, or its attributes changed
  Removed,  // deleted, or renamed away
};

struct Touched {
  std::string name;
  Change change;
};  // look at this name (relative, `/`)
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
  virtual void wait(TimePoint deadline, std::vector<WatchEvent>& events) = 0;
  // Ends the current or the next wait() early. Any thread.
  virtual void wake() = 0;
  // How the root is watched, for people: "inotify", "polling every 10 s (cifs)".
  virtual std::string describe() const = 0;

  static constexpr std::size_t kMostEvents = 4096;
};

struct WatchOptions {
  bool recursive = true;
  // Time between two looks when polling.
  Duration poll_every = std::chrono::seconds{10};
};

// What kind of file system a root is on, read once when it is opened.
enum class FileSystemNature { Local, Network, Fuse };
Result<FileSystemNature> nature_of(const std::filesystem::path& root);

// Both see the same contract suite. The root must exist; Environment if it does not or if it cannot
// be watched. `open_native_watcher` fails with kind Environment and os_code ENOSPC or EMFILE at the
// watch limit (the message names the sysctl to raise); the caller polls instead.
Result<std::unique_ptr<Watcher>> open_native_watcher(const std::filesystem::path& root,
                                                     const WatchOptions& options);
Result<std::unique_ptr<Watcher>> open_polling_watcher(const std::filesystem::path& root,
                                                      const WatchOptions& options);

}  // namespace millrace
