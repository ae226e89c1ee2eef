// The file system behind one interface: the real one, and one that forgets what was not synced.
// Every name is relative to a directory that was opened once; nothing leads out of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "platform/base/result.hpp"

namespace millrace {

enum class FileType { Regular, Directory, Symlink, Other };

struct FileInfo {
  FileType type = FileType::Regular;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t changed_ns = 0;  // ctime; 0 where there is none
  std::uint64_t file_id = 0;    // inode or file index; 0 where it is not stable
  std::uint64_t links = 1;
  // Its bytes are not on this machine: reading would fetch them, or fail with EDEADLK. macOS and
  // Windows tell; Linux knows no such files.
  bool placeholder = false;
  bool same_version(const FileInfo& other) const {
    return size == other.size && mtime_ns == other.mtime_ns && changed_ns == other.changed_ns &&
           file_id == other.file_id;
  }
};

enum class WriterPresence { None, Open, Unknown };

// A file open for reading. One thread at a time.
class InputFile {
 public:
  virtual ~InputFile() = default;
  virtual Result<std::size_t> read_at(std::uint64_t offset,
                                      std::span<std::byte> into) = 0;  // 0: end
  virtual Result<FileInfo> info() = 0;
  // Whether anybody has it open for writing (Linux: a read lease, released at once, F_SETLEASE in
  // fcntl(2); Unknown where it is refused).
  virtual WriterPresence writer() = 0;
};

// A file that was created by us and is open for writing.
class NewFile {
 public:
  virtual ~NewFile() = default;
  virtual Result<void> write(std::span<const std::byte> bytes) = 0;
  virtual Result<void> sync() = 0;   // fsync; F_FULLFSYNC. A failed sync is never repeated
  virtual Result<void> close() = 0;  // a late error of close counts
};

struct Space {
  std::uint64_t free_bytes = 0;  // for us, who are not root
  std::uint64_t total_bytes = 0;
  std::uint64_t free_inodes = 0;  // the largest number where the file system has no such limit
};

// Who may read a file that we make.
enum class Access {
  OwnerOnly,  // 0600
  Shared,     // as any program's output: 0666 less the umask, or the directory's default ACL
};

enum class Visit { Continue, Stop };

// One directory tree. Names are relative, `/` between parts, never `..`, never through a link
// (Input if the name or the world tries). Thread-safe; calls may block.
class Directory {
 public:
  virtual ~Directory() = default;

  virtual Result<FileInfo> info(
      const std::string& name) = 0;  // of the name itself; links not followed
  // Only regular files: Input otherwise (O_NOFOLLOW | O_NONBLOCK, then fstat).
  virtual Result<std::unique_ptr<InputFile>> open(const std::string& name) = 0;
  // Entries of one directory ("" = this one), in any order; names are relative to this Directory
  // ("sub/a.png"), fit for `open` and `info`. An entry that was removed meanwhile may be missing.
  // No lock is held while `visit` runs.
  struct Entry {
    std::string name;
    FileType type;
    // What `info(name)` says, for fewer calls. Only while the entry is visited.
    std::function<Result<FileInfo>()> info;
  };
  virtual Result<void> list(const std::string& directory,
                            const std::function<Visit(const Entry&)>& visit) = 0;

  // -- state-changing: numbered across threads in a build with crash points ---------------------
  // O_EXCL: Exists if anything lies at the name, a link included.
  virtual Result<std::unique_ptr<NewFile>> create(const std::string& name,
                                                  Access access = Access::OwnerOnly) = 0;
  // Makes what is missing and syncs its parents; Exists if a part is there and no directory.
  virtual Result<void> make_directories(const std::string& name) = 0;
  // Renames without replacing: renameat2(RENAME_NOREPLACE), else link and unlink, else an exclusive
  // claim and rename. Exists if the name is taken. After an error both names are looked at. May be
  // called again after a crash: it then goes on where it was cut.
  virtual Result<void> publish(const std::string& from, const std::string& to) = 0;
  virtual Result<void> replace(const std::string& from, const std::string& to) = 0;  // rename(2)
  virtual Result<void> remove(const std::string& name) = 0;
  virtual Result<void> sync_directory(const std::string& directory) = 0;

  virtual Result<Space> space() = 0;
  // Whether files may be made in `directory` ("" = this one): false if it is mounted read-only or
  // we have no permission. Nothing is made. Windows does not ask about folders, only about files.
  virtual Result<bool> takes_files(const std::string& directory) = 0;
  virtual Result<bool> still_there() = 0;  // the path still leads to this directory
  // The kind of file system and whether this is the root of a mount, as seen when it was opened.
  // Opaque. Another answer for the same path means that a mount is missing or has come.
  virtual const std::string& mount_kind() const = 0;
  // Canonical, absolute.
  virtual const std::filesystem::path& path() const = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<Directory>> open_directory(const std::filesystem::path& path) = 0;
  // Makes it and its parents if need be.
  virtual Result<std::unique_ptr<Directory>> make_directory(const std::filesystem::path& path) = 0;
};

FileSystem& real_file_system();

}  // namespace millrace
