// The report on a list: a JSON document of how each of its lines ended.
//
//   {"list":"a.urls","whole_list":true,"fetched":1,"skipped":0,"failed":1,"waiting":0,"bytes":5,
//    "files":[
//   {"line":1,"state":"fetched","name":"a.png","size":5,"sha256":"..."},
//   {"line":3,"state":"failed","reason":"a URL must begin with https://"}
//   ]}
//
// The rows stand in the order in which the lines ended, and wait in a file, so that a list of any
// length costs no memory. No URL is in it, since one may be a presigned link.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/download/download_run.hpp"
#include "agent/download/line_end.hpp"
#include "agent/job/artifact.hpp"
#include "platform/base/mutex.hpp"
#include "platform/fs/atomic_file.hpp"

namespace millrace {

// Thread-safe; calls block on the disk.
class ListReport {
 public:
  static constexpr const char* kOwner = "report";  // of its temporary, see AtomicFile

  // The rows wait in `scratch`. Environment if they cannot.
  static Result<std::unique_ptr<ListReport>> begin(std::shared_ptr<Directory> scratch);

  void add(const LineEnd& line) EXCLUDES(mutex_);
  // The document. Once, after the last add(). Environment if not every row could be written.
  Result<Artifact> finish(const std::string& list, const DownloadTally& tally, bool whole_list)
      EXCLUDES(mutex_);

 private:
  ListReport(std::shared_ptr<Directory> scratch, std::unique_ptr<AtomicFile> rows)
      : scratch_(std::move(scratch)), rows_(std::move(rows)) {}
  void write_out() REQUIRES(mutex_);

  // Shared: the document may outlive us.
  const std::shared_ptr<Directory> scratch_;
  Mutex mutex_;
  std::unique_ptr<AtomicFile> rows_ GUARDED_BY(mutex_);
  std::string piece_ GUARDED_BY(mutex_);  // not yet written
  std::uint64_t written_ GUARDED_BY(mutex_) = 0;
  bool empty_ GUARDED_BY(mutex_) = true;
  std::optional<Error> error_ GUARDED_BY(mutex_);  // the first one
};

}  // namespace millrace
