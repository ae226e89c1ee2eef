// The real file system, in which some files have their bytes in a cloud: `stat` says so, or only
// reading does. Its folders may be such that open and cannot be listed, as those of a failing
// share.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "platform/base/mutex.hpp"
#include "platform/fs/file_system.hpp"
#include "platform/fs/os_error.hpp"

namespace millrace::test {

enum class CloudSign {
  Stat,  // SF_DATALESS of st_flags
  Read,  // the system forbids this process to fetch
};

class CloudFileSystem final : public FileSystem {
 public:
  // The file's bytes go there, or come back.
  void send_away(const std::string& name, CloudSign sign) {
    MutexLock lock(mutex_);
    away_[name] = sign;
  }
  void bring_back(const std::string& name) {
    MutexLock lock(mutex_);
    away_.erase(name);
  }
  bool is_away(const std::string& name, CloudSign sign) const {
    MutexLock lock(mutex_);
    const auto found = away_.find(name);
    return found != away_.end() && found->second == sign;
  }
  int reads() const {  // of files that are away
    MutexLock lock(mutex_);
    return reads_;
  }
  void count_read() {
    MutexLock lock(mutex_);
    ++reads_;
  }
  std::atomic<bool> is_listable = true;
  std::atomic<int> times_opened = 0;

  Result<std::unique_ptr<Directory>> open_directory(const std::filesystem::path& path) override;
  Result<std::unique_ptr<Directory>> make_directory(const std::filesystem::path& path) override;

 private:
  mutable Mutex mutex_;
  std::map<std::string, CloudSign> away_ GUARDED_BY(mutex_);
  int reads_ GUARDED_BY(mutex_) = 0;
};

class CloudFile final : public InputFile {
 public:
  CloudFile(std::unique_ptr<InputFile> file, CloudFileSystem& cloud, std::string name)
      : file_(std::move(file)), cloud_(cloud), name_(std::move(name)) {}
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    const bool away =
        cloud_.is_away(name_, CloudSign::Stat) || cloud_.is_away(name_, CloudSign::Read);
    if (away) cloud_.count_read();
    if (cloud_.is_away(name_, CloudSign::Read))
      return os_failure(placeholder_code(), "read " + name_);
    return file_->read_at(offset, into);
  }
  Result<FileInfo> info() override {
    auto info = file_->info();
    if (info) info->placeholder = cloud_.is_away(name_, CloudSign::Stat);
    return info;
  }
  WriterPresence writer() override { return file_->writer(); }

 private:
  const std::unique_ptr<InputFile> file_;
  CloudFileSystem& cloud_;
  const std::string name_;
};

class CloudDirectory final : public Directory {
 public:
  CloudDirectory(std::unique_ptr<Directory> real, CloudFileSystem& cloud)
      : real_(std::move(real)), cloud_(cloud) {}
  Result<FileInfo> info(const std::string& name) override {
    auto info = real_->info(name);
    if (info) info->placeholder = cloud_.is_away(name, CloudSign::Stat);
    return info;
  }
  Result<std::unique_ptr<InputFile>> open(const std::string& name) override {
    auto file = real_->open(name);
    if (!file) return file;
    return std::make_unique<CloudFile>(std::move(*file), cloud_, name);
  }
  Result<void> list(const std::string& directory,
                    const std::function<Visit(const Entry&)>& visit) override {
    if (!cloud_.is_listable) return fail(ErrorKind::Environment, "the share fails");
    return real_->list(directory, [&](Entry entry) {
      entry.info = [&] { return info(entry.name); };
      return visit(entry);
    });
  }
  Result<std::unique_ptr<NewFile>> create(const std::string& name, Access access) override {
    return real_->create(name, access);
  }
  Result<void> make_directories(const std::string& name) override {
    return real_->make_directories(name);
  }
  Result<void> publish(const std::string& from, const std::string& to) override {
    return real_->publish(from, to);
  }
  Result<void> replace(const std::string& from, const std::string& to) override {
    return real_->replace(from, to);
  }
  Result<void> remove(const std::string& name) override { return real_->remove(name); }
  Result<void> sync_directory(const std::string& name) override {
    return real_->sync_directory(name);
  }
  Result<Space> space() override { return real_->space(); }
  Result<bool> takes_files(const std::string& directory) override {
    return real_->takes_files(directory);
  }
  Result<bool> still_there() override { return real_->still_there(); }
  const std::string& mount_kind() const override { return real_->mount_kind(); }
  const std::filesystem::path& path() const override { return real_->path(); }

 private:
  const std::unique_ptr<Directory> real_;
  CloudFileSystem& cloud_;
};

inline Result<std::unique_ptr<Directory>> CloudFileSystem::open_directory(
    const std::filesystem::path& path) {
  ++times_opened;
  auto real = real_file_system().open_directory(path);
  if (!real) return real;
  return std::make_unique<CloudDirectory>(std::move(*real), *this);
}

inline Result<std::unique_ptr<Directory>> CloudFileSystem::make_directory(
    const std::filesystem::path& path) {
  auto real = real_file_system().make_directory(path);
  if (!real) return real;
  return std::make_unique<CloudDirectory>(std::move(*real), *this);
}

}  // namespace millrace::test
