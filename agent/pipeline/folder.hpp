// One [[folder]] under one version of its settings: its source, its outbox, and how its file calls
// are doing. Jobs hold the Folder they began under, so that a reload never changes a running job;
// that is why it is shared.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "agent/deliver/outbox.hpp"
#include "agent/job/source.hpp"
#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/io_meter.hpp"
#include "config/settings.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/result.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

// An outbox that is opened when it is needed and again after it failed (a share that came back is
// another directory). Thread-safe; get() may block.
class OutboxSlot {
 public:
  // `owner` is what temporaries of this agent carry in their names.
  OutboxSlot(FileSystem& files, std::filesystem::path path, bool make, std::string owner);
  // Shared: a worker may still use the old one while another worker opens it anew.
  Result<std::shared_ptr<Outbox>> get();
  void drop();  // after an error of kind Environment

 private:
  FileSystem& files_;
  const std::filesystem::path path_;
  std::atomic<bool> make_;  // whoever comes first makes it
  const std::string owner_;
  Mutex mutex_;
  std::shared_ptr<Outbox> open_ GUARDED_BY(mutex_);
};

struct Folder {
  Folder(FolderSettings folder_settings, std::size_t root_index, std::size_t workers,
         FileSystem& files, std::string owner, std::unique_ptr<Source> folder_source);

  const FolderSettings settings;
  const std::size_t root;  // index among all roots; never used again after a reload
  const std::unique_ptr<Source> source;
  const std::vector<TargetSpec> targets;
  OutboxSlot outbox;
  IoMeter inbox_io;
  IoMeter outbox_io;
};

}  // namespace millrace
