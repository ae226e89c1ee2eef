#include "platform/fs/files_posix.hpp"

#include <unistd.h>

#include <cerrno>

#include "platform/base/file_times_posix.hpp"
#include "platform/fs/crash_point.hpp"
#include "platform/fs/os_error.hpp"

namespace millrace {
namespace {

FileType to_type(mode_t mode) {
  if (S_ISREG(mode)) return FileType::Regular;
  if (S_ISDIR(mode)) return FileType::Directory;
  return S_ISLNK(mode) ? FileType::Symlink : FileType::Other;
}

Result<FileInfo> info_of(int fd, const std::string& name, FileIds ids) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return os_failure(errno, name);
  return to_info(status, ids);
}

class PosixInputFile final : public InputFile {
 public:
  PosixInputFile(Descriptor fd, std::string name, FileIds ids)
      : fd_(std::move(fd)), name_(std::move(name)), ids_(ids) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    const auto got = again_if_interrupted(
        [&] { return ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset)); });
    if (got < 0) return os_failure(errno, "read " + name_);
    return static_cast<std::size_t>(got);
  }

  Result<FileInfo> info() override { return info_of(fd_.get(), name_, ids_); }

  WriterPresence writer() override { return writer_of(fd_.get()); }

 private:
  const Descriptor fd_;
  const std::string name_;
  const FileIds ids_;
};

class PosixNewFile final : public NewFile {
 public:
  PosixNewFile(Descriptor fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  Result<void> write(std::span<const std::byte> bytes) override {
    if (!fd_) return closed();
    while (!bytes.empty()) {
      crash_point();
      const auto wrote =
          again_if_interrupted([&] { return ::write(fd_.get(), bytes.data(), bytes.size()); });
      if (wrote < 0) return os_failure(errno, "write " + name_);
      bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    }
    return {};
  }

  // After a failed fsync the kernel marks the pages clean: a second one would succeed and mean
  // nothing (fsync(2); "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
  Result<void> sync() override {
    if (!fd_) return closed();
    if (sync_failed_)
      return fail(ErrorKind::Defect, "sync " + name_ + ": an earlier one failed; it is lost");
    crash_point();
    if (again_if_interrupted([&] { return flush_to_disk(fd_.get()); }) == 0) return {};
    sync_failed_ = true;
    return os_failure(errno, "sync " + name_);
  }

  Result<void> close() override {
    if (!fd_) return closed();
    crash_point();
    // Not repeated: the descriptor is gone even after an error, close(2).
    if (::close(fd_.release()) != 0) return os_failure(errno, "close " + name_);
    return {};
  }

 private:
  Result<void> closed() const { return fail(ErrorKind::Defect, name_ + " is closed already"); }
  Descriptor fd_;
  const std::string name_;
  bool sync_failed_ = false;
};

}  // namespace

FileInfo to_info(const struct stat& status, FileIds ids) {
  FileInfo info;
  info.type = to_type(status.st_mode);
  info.size = static_cast<std::uint64_t>(status.st_size);
  info.mtime_ns = modified_ns(status);
  info.changed_ns = changed_ns(status);
  info.file_id = ids == FileIds::Stable ? status.st_ino : 0;
  info.links = status.st_nlink;
  info.placeholder = lacks_its_bytes(status);
  return info;
}

std::unique_ptr<InputFile> make_input_file(Descriptor fd, std::string name, FileIds ids) {
  return std::make_unique<PosixInputFile>(std::move(fd), std::move(name), ids);
}

std::unique_ptr<NewFile> make_new_file(Descriptor fd, std::string name) {
  return std::make_unique<PosixNewFile>(std::move(fd), std::move(name));
}

}  // namespace millrace
