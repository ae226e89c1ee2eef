#include "agent/pipeline/folder.hpp"

#include <utility>

#include "agent/deliver/local_outbox.hpp"

namespace millrace {
namespace {

std::vector<TargetSpec> targets_of(const FolderSettings& settings) {
  std::vector<TargetSpec> targets;
  for (const std::string& target : settings.to) targets.push_back({target, settings.via});
  return targets;
}

}  // namespace

OutboxSlot::OutboxSlot(FileSystem& files, std::filesystem::path path, bool make, std::string owner)
    : files_(files), path_(std::move(path)), make_(make), owner_(std::move(owner)) {}

Result<std::shared_ptr<Outbox>> OutboxSlot::get() {
  {
    const MutexLock lock(mutex_);
    if (open_) return open_;
  }
  // Once: an outbox that went away later may be a mount that is missing.
  if (make_.exchange(false)) {
    if (auto made = files_.make_directory(path_); !made) return std::unexpected(made.error());
  }
  auto opened = open_local_outbox(files_, path_, {owner_, {}, {}});
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
               FileSystem& files, std::string owner, std::unique_ptr<Source> folder_source)
    : settings(std::move(folder_settings)),
      root(root_index),
      source(std::move(folder_source)),
      targets(targets_of(settings)),
      outbox(files, settings.outbox, settings.make_outbox, std::move(owner)),
      inbox_io(workers),
      outbox_io(workers) {}

}  // namespace millrace
