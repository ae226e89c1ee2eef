// --failures FILE: what a batch failed on, one JSON object a line, for programs.
//
//   {"source":"/in/a.png","to":"webp","kind":"input","reason":"broken: not a picture","attempts":1,
//    "http_status":422,"time":"2026-01-31T12:00:00.250Z","job":256}
//
// http_status is left out where no request was answered.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "agent/ledger/ledger.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/result.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

std::string failure_line(const JobView& failure);

// One thread; calls block on the disk.
class FailureFile {
 public:
  // Makes the file; one that holds failures of an earlier run is made anew. Configuration if it
  // holds something else, or cannot be made.
  static Result<std::unique_ptr<FailureFile>> begin(const std::filesystem::path& path);
  // They are on disk when it returns. After an error every later call fails as well.
  Result<void> add(std::span<const JobView> failures);

 private:
  FailureFile(std::unique_ptr<Directory> directory, std::unique_ptr<NewFile> file)
      : directory_(std::move(directory)), file_(std::move(file)) {}

  const std::unique_ptr<Directory> directory_;
  const std::unique_ptr<NewFile> file_;
  bool broken_ = false;
};

// The way of a run's failures into the file: what the ledger has already, then each as it happens.
class FailureNotes {
 public:
  // Only what `wanted` agrees to is written.
  FailureNotes(std::unique_ptr<FailureFile> file, std::function<bool(const JobView&)> wanted)
      : file_(std::move(file)), wanted_(std::move(wanted)) {}

  // A job has failed, and the ledger knows. Any thread; never blocks.
  void note(JobId job) EXCLUDES(mutex_);

  // The rest is for the one thread that has the reader; it blocks on the disk.
  // What failed in earlier runs and stands: once, when the run has begun.
  Result<void> write_earlier(LedgerReader& reader);
  // What was noted; it is kept for the next call where the ledger does not answer.
  Result<void> write_noted(LedgerReader& reader) EXCLUDES(mutex_);

 private:
  const std::unique_ptr<FailureFile> file_;
  const std::function<bool(const JobView&)> wanted_;
  std::set<JobId> earlier_;  // may have been noted as well: the run had begun

  Mutex mutex_;
  std::vector<JobId> noted_ GUARDED_BY(mutex_);
};

}  // namespace millrace
