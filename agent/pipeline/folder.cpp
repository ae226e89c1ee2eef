#include "agent/pipeline/folder.hpp"

#include <utility>

#include "agent/deliver/local_outbox.hpp"
#include "agent/pipeline/buckets.hpp"
#include "config/bucket_url.hpp"

namespace millrace {
namespace {

std::vector<TargetSpec> targets_of(const FolderSettings& settings) {
  std::vector<TargetSpec> targets;
  for (const std::string& target : settings.to) targets.push_back({target, settings.via});
  return targets;
}

}  // namespace

OpenOutbox local_outbox_opener(FileSystem& files, std::filesystem::path path, bool make,
                               std::string owner) {
  // Shared with copies of the opener: whoever comes first makes it.
  const auto to_make = std::make_shared<std::atomic<bool>>(make);
  return [&files, path = std::move(path), to_make,
          owner = std::move(owner)]() -> Result<std::unique_ptr<Outbox>> {
    if (to_make->exchange(false)) {
      if (auto made = files.make_directory(path); !made) return std::unexpected(made.error());
    }
    return open_local_outbox(files, path, {owner, {}, {}});
  };
}

OpenOutbox outbox_opener(Buckets& buckets, FileSystem& files, const FolderSettings& folder,
                         std::string owner) {
  if (!bucket_of(folder.outbox))
    return local_outbox_opener(files, folder.outbox, folder.make_outbox, std::move(owner));
  return [&buckets, place = folder.outbox, owner = std::move(owner)] {
    return buckets.open_outbox(place, owner);
  };
}

Result<std::shared_ptr<Outbox>> OutboxSlot::get() {
  {
    const MutexLock lock(mutex_);
    if (open_) return open_;
  }
  auto opened = open_anew_();
  if (!opened) return std::unexpected(opened.error());
  const MutexLock lock(mutex_);
  if (!open_) open_ = std::move(*opened);
  return open_;
}

void OutboxSlot::drop() {
  const MutexLock lock(mutex_);
  open_.reset();
}

Folder::Folder(FolderSettings folder_settings, std::size_t root_index, std::size_t workers,
               std::unique_ptr<Source> folder_source, OpenOutbox open_outbox)
    : settings(std::move(folder_settings)),
      root(root_index),
      source(std::move(folder_source)),
      targets(targets_of(settings)),
      outbox(std::move(open_outbox)),
      inbox_io(workers),
      outbox_io(workers) {}

}  // namespace millrace
