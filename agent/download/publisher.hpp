// Puts finished files at their names, many with one commit and one sync of their folder.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "agent/download/file_ledger.hpp"
#include "platform/base/mutex.hpp"
#include "platform/fs/atomic_file.hpp"

namespace millrace {

struct ReadyFile {
  std::unique_ptr<AtomicFile> file;    // finished
  FileRecord record;                   // of its bytes
  std::optional<FileRecord> replaces;  // what we made at that name before
  // On the publisher's thread, once the file lies there or why it does not (Exists: somebody else's
  // file does; it was left alone). Must not block.
  std::function<void(Result<void>)> then;
};

// One thread of its own, which gathers a group for some milliseconds. Order for each: records
// (Publishing), commit, renames, sync of the directories, records (Done), which the next group's
// commit writes, or one of their own if no group follows, or if the next folder waits for them.
class Publisher {
 public:
  static constexpr std::size_t kMostWaiting = 128;
  // A file waits for others to be committed with, this long at most and for this many.
  static constexpr std::chrono::milliseconds kGathering{10};
  static constexpr std::size_t kEnough = 64;

  Publisher(Directory& folder, FileLedger& ledger, FileLedger::Durable durable);
  ~Publisher();  // publishes what waits, joins

  // From any thread; blocks while kMostWaiting wait.
  void push(ReadyFile ready) EXCLUDES(mutex_);

 private:
  enum class Committed { Yes, No };
  void run() EXCLUDES(mutex_);
  std::vector<ReadyFile> take(Committed committed) EXCLUDES(mutex_);
  void publish(std::vector<ReadyFile> group) EXCLUDES(mutex_);
  Result<void> record_all(std::vector<ReadyFile>& group);
  Result<void> rename(ReadyFile& ready);
  Result<void> sync_folders(const std::vector<ReadyFile>& group);
  Result<void> record_done(FileRecord record);

  Directory& folder_;
  FileLedger& ledger_;
  const FileLedger::Durable durable_;

  Mutex mutex_;
  CondVar work_, room_;
  std::vector<ReadyFile> queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;

  std::jthread thread_;  // last: it uses everything above
};

// The file of the record still lies at its name as we made it.
bool still_ours(Directory& folder, const FileRecord& record);

// A record that a run left in Publishing: published now if its bytes are there (Done). If they are
// not: what they were to replace (Done), or Named.
Result<FileRecord> recover(Directory& folder, FileRecord record);

}  // namespace millrace
