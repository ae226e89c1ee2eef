// What a batch of downloads remembers: which name each line of its list got, what lies there, and
// what it was made from. A URL is kept as a hash only, since it may be a presigned link.
//
//   Named --begin_part--> Partial --publishing--> Publishing --done--> Done
//     |                                               ^                 | --refresh, another
//     answer:
//     +-----------------------------------------------+                 +--> Publishing
//
// Named: the name is ours, nothing is there; not on record before something is. Partial: a
// temporary holds the first bytes of what the validator names, or several hold ranges of it.
// Publishing: whole bytes of this SHA-256, or of this time where it is not known, lie under the
// temporary or the final name, nobody knows which. Done: they lay under the final name when it was
// written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace {

enum class FileState { Named, Partial, Publishing, Done };

// Bytes of a file, both ends included, and the temporary that holds them or the first of them.
struct FileRange {
  std::uint64_t first = 0, last = 0;
  std::string temporary;
  bool operator==(const FileRange&) const = default;
};

struct FileRecord {
  std::string key;  // of the line in the list, see item_key()
  FileState state = FileState::Named;
  std::string name;          // final, beneath the folder
  std::string temporary;     // Partial, Publishing
  std::uint64_t size = 0;    // Publishing, Done; bytes
  std::string sha256;        // the same; hex, or empty: nobody asked for it
  std::int64_t made_ns = 0;  // Publishing: the time of the bytes, which no rename changes
  // Of the file that we made: Done; Publishing: of the one that is replaced; 0: there was none.
  std::int64_t mtime_ns = 0;
  std::string etag, last_modified;  // of the answer; Partial: what If-Range asks with
  std::vector<FileRange> ranges;    // Partial: in order, all of the file; or none, and `temporary`
  std::string list;  // Publishing, Done: DownloadOptions::list_id of the run that fetched it
};

// Thread-safe; calls block on the disk. Changes are written together by the next commit(); a
// process that ends before leaves things as they were.
class FileLedger {
 public:
  enum class Durable { Yes, No };  // No: a power cut may take the last commits
  static Result<std::unique_ptr<FileLedger>> open(const std::filesystem::path& file,
                                                  Durable durable);
  virtual ~FileLedger() = default;

  virtual Result<std::optional<FileRecord>> find(std::string_view key) = 0;
  // Keeps the name for the line until its first put(), which writes it down, or release(). False if
  // another line owns a name that folds to the same.
  virtual Result<bool> reserve(const FileRecord& record, std::string_view folded) = 0;
  virtual void release(std::string_view key) = 0;
  virtual Result<void> put(const FileRecord& record) = 0;  // of a key that has a name
  virtual Result<void> commit() = 0;
  // Temporaries that records in Partial and Publishing name.
  virtual Result<std::vector<std::string>> temporaries() = 0;
};

}  // namespace millrace
