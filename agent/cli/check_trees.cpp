// What lies beneath the inboxes: how many folders must be watched, and whether they can be read.
#include <array>
#include <fstream>
#include <optional>

#include "agent/cli/check.hpp"
#include "agent/cli/check_rules.hpp"
#include "config/bucket_url.hpp"
#include "platform/base/advice.hpp"
#include "platform/base/native_path.hpp"
#include "platform/fs/file_system.hpp"
#include "platform/fs/path_text.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {
namespace {

struct LimitFile {
  const char* path;
  const char* setting;
};

// Files of the kernel, inotify(7) and namespaces(7): the lower of the two holds. Where there are
// none there is no limit to check.
constexpr std::array kLimitFiles{
    LimitFile{"/proc/sys/fs/inotify/max_user_watches", "fs.inotify.max_user_watches"},
    LimitFile{"/proc/sys/user/max_inotify_watches", "user.max_inotify_watches"},
};

std::optional<WatchLimit> watch_limit() {
  std::optional<WatchLimit> lowest;
  for (const LimitFile& file : kLimitFiles) {
    std::uint64_t most = 0;
    if (!(std::ifstream(file.path) >> most)) continue;
    if (!lowest || most < lowest->most) lowest = WatchLimit{most, file.setting};
  }
  return lowest;
}

struct Tree {
  std::uint64_t directories = 0;
  std::uint64_t unreadable = 0;
  std::string first_unreadable{};
};

Tree count_tree(Directory& root) {
  Tree tree;
  std::vector<std::string> open{""};
  while (!open.empty()) {
    const std::string below = std::move(open.back());
    open.pop_back();
    ++tree.directories;
    const auto listed = root.list(below, [&](const Directory::Entry& entry) {
      if (entry.type == FileType::Directory && check_relative_name(entry.name)) {
        open.push_back(entry.name);
      }
      return Visit::Continue;
    });
    if (listed || listed.error().kind == ErrorKind::Vanished) continue;
    if (tree.unreadable++ == 0) tree.first_unreadable = below;
  }
  return tree;
}

// Only where changes are told: a poll of a share needs no watches, and walking it is slow.
bool is_watched(const FolderSettings& folder) {
  if (folder.poll || bucket_of(folder.inbox)) return false;
  const auto kind = file_system_kind(folder.inbox);
  return kind && kind->events == ChangeEvents::Complete;
}

}  // namespace

std::vector<Finding> check_trees(const Context& context) {
  std::vector<Finding> findings;
  std::uint64_t directories = 0;
  for (const FolderSettings& folder : context.settings.folders) {
    if (!is_watched(folder)) continue;
    const auto root = real_file_system().open_directory(folder.inbox);
    if (!root) continue;  // said by the check of the inbox itself
    const Tree tree = folder.recursive ? count_tree(**root) : Tree{1, 0, {}};
    directories += tree.directories;
    if (tree.unreadable == 0) continue;
    const auto unreadable = folder.inbox / native_path(tree.first_unreadable);
    findings.push_back({FindingLevel::Warning, "inbox of " + folder.name,
                        "folders in it that cannot be read: " + std::to_string(tree.unreadable) +
                            ", such as " + path_text(unreadable),
                        how_to_let_read(unreadable)});
  }
  const auto limit = watch_limit();
  if (limit && directories > 0) findings.push_back(judge_watches(directories, *limit));
  return findings;
}

}  // namespace millrace
