// A long file fetched in ranges, several at a time, each into a temporary of its own.
//
//   | there | asked for | there | asked for |  not asked yet  |  not asked yet  |
//   0         range 1           |   range 2                   |     ...
//
// Which bytes belong into which temporary is on record before the first byte comes. The size of a
// temporary tells how many of its bytes are there, so that nothing is recorded meanwhile, and a
// kill costs nothing that was written. A range that was cut off becomes two: what is there, and the
// rest. At the end all are joined into one file, whose SHA-256 is then known.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/download/download_request.hpp"
#include "agent/download/file_ledger.hpp"
#include "agent/download/list_item.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/sha256.hpp"
#include "platform/fs/atomic_file.hpp"

namespace millrace {

// Leave to ask the host of a task for more at the same time than its own request.
struct MoreRequests {
  std::function<bool()> begin;  // true: one more may be sent now, and end() follows
  std::function<void()> end;    // on any thread
};

// Can the rest of this answer be asked for in ranges?
bool has_ranges(const HttpHead& head);

// One attempt at one file. One thread, which it helps with threads of its own; calls block on the
// network and the disk.
class RangeFetch {
 public:
  struct Tools {  // all outlive it
    const DownloadRequests& requests;
    Directory& folder;
    FileLedger& ledger;
    const Clock& clock;
    const FetchRules& rules;
    std::atomic<std::uint64_t>& received;
  };

  // `record`: Partial with ranges, or one whose answer begin_with() is given.
  RangeFetch(const Tools& tools, const ListItem& item, FileRecord record, const MoreRequests& more,
             const std::stop_token& stop);

  // Divides the file of this answer; `record` holds its validators. The answer gives the first
  // range; fetch() ends it there.
  void begin_with(DownloadAnswer whole, std::uint64_t size);
  // The joined file, finished, and its record. After an error what came is kept and on record.
  // `bad_sha256` is set where the bytes came whole and are not those of the list.
  struct Joined {
    std::unique_ptr<AtomicFile> file;
    FileRecord record;
  };
  Result<Joined> fetch(std::string& bad_sha256);
  // Why fetch() failed. Unless Nothing, what came is gone from the record and the disk.
  enum class Lost {
    Nothing,
    Ranges,  // the server gives none after all
    File,    // the server has another one by now
  };
  Lost lost() const { return lost_; }

 private:
  struct Piece {  // of one thread at a time
    FileRange range;
    std::unique_ptr<AtomicFile> file;
  };

  Result<void> open_pieces();
  std::uint64_t bytes_there(const FileRange& range) const;
  void fill_pieces() EXCLUDES(mutex_);
  Piece* take_piece() EXCLUDES(mutex_);
  bool some_wait() EXCLUDES(mutex_);
  void fill_or_end(Piece& piece, std::optional<DownloadAnswer> answer) EXCLUDES(mutex_);
  Result<void> fill(Piece& piece, std::optional<DownloadAnswer> answer);
  Result<DownloadAnswer> ask(const FileRange& range);
  std::unexpected<Error> lose(Lost what, const std::string& host);
  Result<void> copy(const FileRange& range, AtomicFile& to, Sha256& hash);
  Result<void> join_into(AtomicFile& file, Sha256& hash);
  Result<Joined> join(std::string& bad_sha256);
  Result<void> write_record();
  Result<void> forget();

  const Tools tools_;
  const ListItem& item_;
  const MoreRequests& more_;
  FileRecord record_;
  std::optional<DownloadAnswer> whole_;
  std::uint64_t size_ = 0;
  std::vector<Piece> pieces_;  // that were to be asked for at the start
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> on_stop_;
  std::atomic<Lost> lost_{Lost::Nothing};  // set by any helper, read after they have ended

  Mutex mutex_;
  std::size_t taken_ GUARDED_BY(mutex_) = 0;       // of the pieces
  std::optional<Error> error_ GUARDED_BY(mutex_);  // the first one
};

}  // namespace millrace
