#include "platform/watch/fs_event_reader.hpp"

#include <algorithm>
#include <iterator>
#include <system_error>
#include <utility>

#include "platform/watch/fs_event.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

Presence presence_of(const fs::path& path) {
  std::error_code unknown;
  switch (fs::symlink_status(path, unknown).type()) {
    case fs::file_type::not_found:
      return Presence::Missing;
    case fs::file_type::regular:
      return Presence::File;
    case fs::file_type::directory:
      return Presence::Folder;
    default:
      return Presence::Other;
  }
}

bool same(const WatchEvent& a, const WatchEvent& b) {
  const auto* one = std::get_if<Touched>(&a);
  const auto* other = std::get_if<Touched>(&b);
  return one != nullptr && other != nullptr && one->change == other->change &&
         one->name == other->name;
}

}  // namespace

FsEventReader::FsEventReader(fs::path root, std::string system_path, WatchOptions options,
                             RootIdentity identity, std::optional<FsEventPosition> now)
    : root_(std::move(root)),
      system_path_(std::move(system_path)),
      options_(std::move(options)),
      identity_(identity),
      now_(now) {
  if (!now_) return;
  const auto since = millrace::begins_after(options_.since, *now_);
  in_history_ = since.has_value();
  taken_ = handed_out_ = since.value_or(now_->id);
}

std::optional<std::uint64_t> FsEventReader::begins_after() const {
  if (!in_history_) return std::nullopt;
  return handed_out_;
}

void FsEventReader::note_id(std::uint32_t flags, std::uint64_t id) {
  if ((flags & fs_event::kEventIdsWrapped) != 0) {
    // Smaller ids come from here on.
    in_history_ = false;
    taken_ = 0;
  } else if ((flags & fs_event::kHistoryDone) == 0) {
    taken_ = std::max(taken_, id);
  } else if (in_history_) {
    // A volume on which nothing happens is not told of this stretch again.
    in_history_ = false;
    taken_ = std::max(taken_, now_->id);
  }
}

void FsEventReader::take(std::uint32_t flags, std::string_view path, std::uint64_t id) {
  if (ended_) return;
  const bool of_before = in_history_ && id <= now_->id;
  note_id(flags, id);
  // What is not in the root is the path of the root itself, moved: WatchRoot tells the new one.
  const std::string name = name_beneath(path, system_path_).value_or("");
  const Presence presence = presence_of(root_ / name);
  FsEventMeaning meaning =
      of_before ? history_meaning_of(flags, name, presence) : meaning_of(flags, name, presence);
  if (meaning.event && concerns_us(name)) push(std::move(*meaning.event));
  if (meaning.follow_up == FollowUp::CheckRoot) check_root();
  if (!options_.recursive) return;
  if (meaning.follow_up == FollowUp::ListAsMoved) report_content(name, Change::Moved);
  if (meaning.follow_up == FollowUp::ListAsWritten) report_content(name, Change::Written);
}

// The stream always tells of the whole tree.
bool FsEventReader::concerns_us(const std::string& name) const {
  return options_.recursive || name.find('/') == std::string::npos;
}

void FsEventReader::lose(std::string why) {
  if (!ended_) push(Lost{"", std::move(why)});
}

void FsEventReader::check_root() {
  if (ended_ || root_identity(root_) == identity_) return;
  ended_ = true;
  push(Ended{
      Error{ErrorKind::Environment, "the folder is gone or another one is in its place", 0, {}}});
}

void FsEventReader::hand_out(std::vector<WatchEvent>& events) {
  const auto count = std::min(pending_.size(), Watcher::kMostEvents);
  const auto last = pending_.begin() + static_cast<std::ptrdiff_t>(count);
  events.insert(events.end(), std::make_move_iterator(pending_.begin()),
                std::make_move_iterator(last));
  pending_.erase(pending_.begin(), last);
  // Events of before and of now come mixed: as long as some of before may come, their ids are no
  // measure.
  if (pending_.empty() && !in_history_) handed_out_ = taken_;
}

std::string FsEventReader::position() const {
  if (!now_) return {};
  return position_text({now_->history, handed_out_});
}

void FsEventReader::report_content(const std::string& folder, Change change) {
  std::vector<std::pair<std::string, int>> folders{{folder, 0}};
  std::size_t reported = 0;
  while (!folders.empty() && reported <= Watcher::kMostEvents) {
    const auto [here, level] = std::move(folders.back());
    folders.pop_back();
    // One that is gone again makes its own event.
    static_cast<void>(poll_directory(root_, here, [&, depth = level](PolledEntry entry) {
      if (options_.still_alive) options_.still_alive();
      std::string name = here + "/" + entry.leaf;
      if (entry.stamp) {
        if (++reported <= Watcher::kMostEvents) push(Touched{std::move(name), change});
      } else if (entry.is_directory && depth < kDeepestFolder) {
        folders.emplace_back(std::move(name), depth + 1);
      }
    }));
  }
  if (reported > Watcher::kMostEvents) push(Lost{folder, "a folder came with its content"});
}

void FsEventReader::push(WatchEvent event) {
  if (!pending_.empty() && same(pending_.back(), event)) return;
  pending_.push_back(std::move(event));
}

}  // namespace millrace
