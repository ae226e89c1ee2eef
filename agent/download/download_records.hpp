// What the runs into one folder have in common.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "agent/download/file_ledger.hpp"
#include "agent/download/line_claims.hpp"
#include "platform/base/mutex.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

// Thread-safe.
struct DownloadRecords {
  explicit DownloadRecords(std::unique_ptr<FileLedger> opened);
  // `file`: of the FileLedger, in a folder that exists.
  static Result<std::shared_ptr<DownloadRecords>> open(const std::filesystem::path& file,
                                                       FileLedger::Durable durable);
  // Temporaries of this owner that a run of another process left and that no record needs; once.
  Result<void> remove_leftovers(Directory& folder, const std::string& owner) EXCLUDES(mutex);

  const std::unique_ptr<FileLedger> ledger;
  LineClaims claims;  // with a claim goes what the line reserved
  Mutex mutex;        // held while leftovers are removed, so that no run begins meanwhile
  bool leftovers_removed GUARDED_BY(mutex) = false;
};

}  // namespace millrace
