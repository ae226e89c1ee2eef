#include "platform/watch/fs_event.hpp"

#include <algorithm>

namespace millrace {
namespace {

using namespace fs_event;

constexpr std::uint32_t kAnyChange = kItemCreated | kItemRemoved | kItemInodeMetaMod |
                                     kItemRenamed | kItemModified | kItemFinderInfoMod |
                                     kItemChangeOwner | kItemXattrMod | kItemCloned;

constexpr std::uint32_t kAboutStream = kUserDropped | kKernelDropped | kEventIdsWrapped |
                                       kHistoryDone | kRootChanged | kMount | kUnmount;

FsEventMeaning lost(std::string below, const char* why) {
  return {Lost{std::move(below), why}, FollowUp::Nothing};
}

FsEventMeaning of_folder(std::uint32_t flags) {
  if ((flags & kItemRenamed) != 0) return {std::nullopt, FollowUp::ListAsMoved};
  // It came with content, or its new owner or mode lets us in.
  if ((flags & (kItemCreated | kItemChangeOwner | kItemInodeMetaMod)) != 0)
    return {std::nullopt, FollowUp::ListAsWritten};
  return {};
}

FsEventMeaning of_file(std::uint32_t flags, const std::string& name) {
  // Whole by the writer's own act only if nothing but the rename happened to this name.
  const bool only_renamed =
      (flags & kItemRenamed) != 0 && (flags & (kItemCreated | kItemModified)) == 0;
  return {Touched{name, only_renamed ? Change::Moved : Change::Written}, FollowUp::Nothing};
}

// The volume that the system writes to shows as part of "/", and by this path as well.
constexpr std::string_view kDataVolume = "/System/Volumes/Data";

std::string_view without_last_slash(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

std::string_view without_data_volume(std::string_view path) {
  const auto rest = path.substr(std::min(path.size(), kDataVolume.size()));
  return path.starts_with(kDataVolume) && rest.starts_with('/') ? rest : path;
}

}  // namespace

std::optional<std::string> name_beneath(std::string_view path, std::string_view root) {
  path = without_data_volume(without_last_slash(path));
  root = without_data_volume(without_last_slash(root));
  if (path == root) return "";
  if (root == "/") root = "";
  if (!path.starts_with(root) || !path.substr(root.size()).starts_with('/')) return std::nullopt;
  return std::string(path.substr(root.size() + 1));
}

FsEventMeaning meaning_of(std::uint32_t flags, const std::string& name, Presence presence) {
  // Ids start anew: what was remembered of them cannot be compared any more.
  if ((flags & kEventIdsWrapped) != 0) return lost("", "the event ids wrapped");
  if ((flags & kUserDropped) != 0) return lost(name, "events were dropped for this process");
  if ((flags & kKernelDropped) != 0) return lost(name, "events were dropped by the kernel");
  if ((flags & kMustScanSubDirs) != 0) return lost(name, "events were put together");
  if ((flags & (kRootChanged | kMount | kUnmount)) != 0) return {std::nullopt, FollowUp::CheckRoot};
  if ((flags & kHistoryDone) != 0) return {};
  // The root's own times and attributes are nobody's file.
  if (name.empty()) return {};
  // "Something changed there": what a volume tells that knows no more.
  if ((flags & kAnyChange) == 0) return lost(name, "the volume tells of folders only");
  switch (presence) {
    case Presence::Missing:
      return {Touched{name, Change::Removed}, FollowUp::Nothing};
    case Presence::Folder:
      return of_folder(flags);
    case Presence::File:
    case Presence::Other:
      break;
  }
  return of_file(flags, name);
}

FsEventMeaning history_meaning_of(std::uint32_t flags, const std::string& name, Presence presence) {
  // Of the stream itself: what was dropped may be of now.
  if ((flags & kAboutStream) != 0) return meaning_of(flags, name, presence);
  if (name.empty() || (flags & kAnyChange) == 0) return {};
  switch (presence) {
    case Presence::Missing:
      return {};
    case Presence::Folder:
      if ((flags & (kItemCreated | kItemRenamed)) == 0) return {};
      return {std::nullopt, FollowUp::ListAsWritten};
    case Presence::File:
    case Presence::Other:
      break;
  }
  return {Touched{name, Change::Written}, FollowUp::Nothing};
}

}  // namespace millrace
