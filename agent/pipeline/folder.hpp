// One [[folder]] under one version of its settings: its source, its outbox, and how its file calls
// are doing. Jobs hold the Folder they began under, so that a reload never changes a running job;
// that is why it is shared.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "agent/deliver/outbox.hpp"
#include "agent/job/source.hpp"
#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/io_meter.hpp"
#include "config/settings.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/result.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

class Buckets;

using OpenOutbox = std::function<Result<std::unique_ptr<Outbox>>()>;
// Opens a folder. With `make` the first call makes it; later ones do not, since an outbox that went
// away may be a mount that is missing. `owner` is what temporaries of this agent carry.
OpenOutbox local_outbox_opener(FileSystem& files, std::filesystem::path path, bool make,
                               std::string owner);
// Opens the folder or the bucket that settings name; `buckets` outlives it.
OpenOutbox outbox_opener(Buckets& buckets, FileSystem& files, const FolderSettings& folder,
                         std::string owner);

// An outbox that is opened when it is needed and again after it failed (a share that came back is
// another directory). Thread-safe; get() may block.
class OutboxSlot {
 public:
  explicit OutboxSlot(OpenOutbox open) : open_anew_(std::move(open)) {}
  // Shared: a worker may still use the old one while another worker opens it anew.
  Result<std::shared_ptr<Outbox>> get();
  void drop();  // after an error of kind Environment

 private:
  const OpenOutbox open_anew_;  // called by several workers at once
  Mutex mutex_;
  std::shared_ptr<Outbox> open_ GUARDED_BY(mutex_);
};

struct Folder {
  Folder(FolderSettings folder_settings, std::size_t root_index, std::size_t workers,
         FileSystem& files, std::string owner, std::unique_ptr<Source> folder_source)
      : Folder(folder_settings, root_index, workers, std::move(folder_source),
               local_outbox_opener(files, folder_settings.outbox, folder_settings.make_outbox,
                                   std::move(owner))) {}
  Folder(FolderSettings folder_settings, std::size_t root_index, std::size_t workers,
         std::unique_ptr<Source> folder_source, OpenOutbox open_outbox);

  const FolderSettings settings;
  const std::size_t root;  // index among all roots; never used again after a reload
  const std::unique_ptr<Source> source;
  const std::vector<TargetSpec> targets;
  OutboxSlot outbox;
  IoMeter inbox_io;
  IoMeter outbox_io;
};

}  // namespace millrace
