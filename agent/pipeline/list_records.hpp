// What lists that are fetched into one outbox have in common, whichever converter fetches them: it
// outlives a reload, which makes converters anew while lists are under way.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "agent/download/download_run.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/result.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

struct OutboxRecords {
  std::shared_ptr<DownloadRecords> records;
  std::shared_ptr<Directory> scratch;  // in the state folder: reports that are being written
  std::string owner;                   // of temporaries in the outbox, see AtomicFile
};

// Thread-safe.
class ListRecords {
 public:
  explicit ListRecords(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Opened at the first call for an outbox, in a folder of its own beneath ours, and kept. Blocks
  // on the state folder. Environment or Configuration if that cannot be used.
  Result<OutboxRecords> of(const std::filesystem::path& outbox) EXCLUDES(mutex_);

  // Lists under way have come further; for those who wait for the end of everything.
  void note_step() { ++steps_; }
  std::int64_t steps() const { return steps_; }

 private:
  Result<OutboxRecords> open(const std::filesystem::path& outbox) const;

  const std::filesystem::path folder_;
  Mutex mutex_;
  std::map<std::filesystem::path, OutboxRecords> open_ GUARDED_BY(mutex_);
  std::atomic<std::int64_t> steps_{0};  // a counter that stands alone
};

}  // namespace millrace
