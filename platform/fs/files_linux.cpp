#include "platform/fs/files_linux.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/vfs.h>

#include "platform/fs/crash_point.hpp"
#include "platform/fs/os_error.hpp"

namespace millrace {
namespace {

std::int64_t to_ns(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

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

class LinuxInputFile final : public InputFile {
 public:
  LinuxInputFile(Descriptor fd, std::string name, FileIds ids)
      : fd_(std::move(fd)), name_(std::move(name)), ids_(ids) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    const auto got = again_if_interrupted(
        [&] { return ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset)); });
    if (got < 0) return os_failure(errno, "read " + name_);
    return static_cast<std::size_t>(got);
  }

  Result<FileInfo> info() override { return info_of(fd_.get(), name_, ids_); }

  WriterPresence writer() override {
    if (!traits_of(fd_.get()).leases_see_all_writers) return WriterPresence::Unknown;
    // A writer that comes between the next two statements breaks the lease, and the kernel signals
    // us. The default signal, SIGIO, would end the process; SIGURG is ignored unless somebody asks
    // for it. F_SETSIG must come first.
    if (::fcntl(fd_.get(), F_SETSIG, SIGURG) != 0) return WriterPresence::Unknown;
    if (::fcntl(fd_.get(), F_SETLEASE, F_RDLCK) == 0) {
      ::fcntl(fd_.get(), F_SETLEASE, F_UNLCK);
      return WriterPresence::None;
    }
    return errno == EAGAIN ? WriterPresence::Open : WriterPresence::Unknown;
  }

 private:
  const Descriptor fd_;
  const std::string name_;
  const FileIds ids_;
};

class LinuxNewFile final : public NewFile {
 public:
  LinuxNewFile(Descriptor fd, std::string name, FileIds ids)
      : fd_(std::move(fd)), name_(std::move(name)), ids_(ids) {}

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
    if (again_if_interrupted([&] { return ::fsync(fd_.get()); }) == 0) return {};
    sync_failed_ = true;
    return os_failure(errno, "sync " + name_);
  }

  Result<FileInfo> close() override {
    if (!fd_) return std::unexpected(closed().error());
    auto info = info_of(fd_.get(), name_, ids_);
    crash_point();
    // Not repeated: the descriptor is gone even after an error, close(2).
    if (::close(fd_.release()) != 0) return os_failure(errno, "close " + name_);
    return info;
  }

 private:
  Result<void> closed() const { return fail(ErrorKind::Defect, name_ + " is closed already"); }
  Descriptor fd_;
  const std::string name_;
  const FileIds ids_;
  bool sync_failed_ = false;
};

}  // namespace

FileSystemTraits traits_of(int fd) {
  struct statfs status{};
  if (::fstatfs(fd, &status) != 0) return {FileIds::Unstable, false};
  const FileSystemType type = file_system_type(static_cast<std::uint64_t>(status.f_type));
  return {type.ids, type.nature == FileSystemNature::Local};
}

FileInfo to_info(const struct stat& status, FileIds ids) {
  FileInfo info;
  info.type = to_type(status.st_mode);
  info.size = static_cast<std::uint64_t>(status.st_size);
  info.mtime_ns = to_ns(status.st_mtim);
  info.changed_ns = to_ns(status.st_ctim);
  info.file_id = ids == FileIds::Stable ? status.st_ino : 0;
  info.links = status.st_nlink;
  return info;
}

std::unique_ptr<InputFile> make_input_file(Descriptor fd, std::string name, FileIds ids) {
  return std::make_unique<LinuxInputFile>(std::move(fd), std::move(name), ids);
}

std::unique_ptr<NewFile> make_new_file(Descriptor fd, std::string name, FileIds ids) {
  return std::make_unique<LinuxNewFile>(std::move(fd), std::move(name), ids);
}

}  // namespace millrace
