// Turns the raw events of FSEvents into those of a Watcher: looks at names, lists folders that came
// with content, compares the root. It knows no C interface, so that its tests run everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/watch/fs_event_position.hpp"
#include "platform/watch/root_identity.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {

// One thread.
class FsEventReader {
 public:
  // `system_path` is what the paths of events begin with; `now` where the history of the root's
  // volume stands before the stream begins, nothing if the volume keeps none.
  FsEventReader(std::filesystem::path root, std::string system_path, WatchOptions options,
                RootIdentity identity, std::optional<FsEventPosition> now);

  // The id after which the stream has to begin; nothing: it tells only of what comes.
  std::optional<std::uint64_t> begins_after() const;
  // One event as it came. May list folders.
  void take(std::uint32_t flags, std::string_view path, std::uint64_t id);
  // Events were lost on the way here.
  void lose(std::string why);
  // Ends if the path does not lead to the root any more.
  void check_root();

  bool has_events() const { return !pending_.empty(); }
  bool ended() const { return ended_; }
  // Moves out the oldest, at most Watcher::kMostEvents.
  void hand_out(std::vector<WatchEvent>& events);
  // Watcher::position(): no event up to here is still to be handed out.
  std::string position() const;

 private:
  void note_id(std::uint32_t flags, std::uint64_t id);
  void report_content(const std::string& folder, Change change);
  void push(WatchEvent event);
  bool concerns_us(const std::string& name) const;

  const std::filesystem::path root_;
  const std::string system_path_;
  const WatchOptions options_;
  const RootIdentity identity_;
  const std::optional<FsEventPosition> now_;
  std::deque<WatchEvent> pending_;
  bool in_history_ = false;       // what happened before `now_` is being told
  std::uint64_t taken_ = 0;       // id of the last event that was taken; 0: unknown
  std::uint64_t handed_out_ = 0;  // all events up to this one were
  bool ended_ = false;            // Ended is the last of pending_, or was handed out
};

}  // namespace millrace
