#include "agent/pipeline/inbox.hpp"

#include <utility>

#include "agent/pipeline/buckets.hpp"
#include "agent/pipeline/intake.hpp"
#include "agent/watch/local_source.hpp"
#include "config/bucket_url.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {
namespace {

RootSettings root_settings(const FolderSettings& folder, Duration rescan_every, std::size_t index) {
  RootSettings root;
  root.index = index;
  root.folder = folder.name;
  root.inbox = folder.inbox;
  root.names.include = folder.include;
  root.names.exclude = folder.exclude;
  if (folder.own_in_flight) root.names.in_flight = folder.in_flight;
  root.names.recursive = folder.recursive;
  root.names.ready_marker = folder.ready_marker;
  root.poll = folder.poll;
  root.rescan_every = rescan_every;
  return root;
}

}  // namespace

Result<Inbox> open_inbox(const InboxTools& tools, const FolderSettings& folder,
                         Duration rescan_every, std::size_t index, const std::string& owner) {
  if (bucket_of(folder.inbox))
    return tools.buckets.open_inbox(folder, index, tools.ledger, tools.sink);
  RootSettings root = root_settings(folder, rescan_every, index);
  root.watch_since = watched_before(tools.ledger, folder.name);
  return Inbox{
      make_local_source(
          {folder.name, folder.inbox, folder.archive, folder.quarantine, "shelf-" + owner},
          real_file_system()),
      std::make_shared<FolderRoot>(std::move(root), real_file_system(), tools.clock, tools.sink)};
}

}  // namespace millrace
