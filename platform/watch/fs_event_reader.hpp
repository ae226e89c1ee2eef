// Turns the raw events of FSEvents into those of a Watcher: looks at names, lists folders that came
// with content, compares the root. It knows no C interface, so that its tests run everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "platform/watch/root_identity.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {

// One thread.
class FsEventReader {
 public:
  // `system_path` is what the paths of events begin with.
  FsEventReader(std::filesystem::path root, std::string system_path, WatchOptions options,
                RootIdentity identity);

  // One event as it came. May list folders.
  void take(std::uint32_t flags, std::string_view path);
  // Events were lost on the way here.
  void lose(std::string why);
  // Ends if the path does not lead to the root any more.
  void check_root();

  bool has_events() const { return !pending_.empty(); }
  bool ended() const { return ended_; }
  // Moves out the oldest, at most Watcher::kMostEvents.
  void hand_out(std::vector<WatchEvent>& events);

 private:
  void report_content(const std::string& folder, Change change);
  void push(WatchEvent event);
  bool concerns_us(const std::string& name) const;

  const std::filesystem::path root_;
  const std::string system_path_;
  const WatchOptions options_;
  const RootIdentity identity_;
  std::deque<WatchEvent> pending_;
  bool ended_ = false;  // Ended is the last of pending_, or was handed out
};

}  // namespace millrace
