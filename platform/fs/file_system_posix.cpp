#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <limits>
#include <optional>
#include <utility>

#include "platform/base/descriptor_posix.hpp"
#include "platform/base/text.hpp"
#include "platform/fs/beneath_posix.hpp"
#include "platform/fs/crash_point.hpp"
#include "platform/fs/file_system.hpp"
#include "platform/fs/files_posix.hpp"
#include "platform/fs/os_error.hpp"
#include "platform/fs/path_text.hpp"
#include "platform/fs/publish_posix.hpp"

namespace millrace {
namespace {

constexpr mode_t kDirectoryMode = 0777;  // less the umask

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

Result<struct stat> status_at(int dir, const char* leaf, const std::string& name) {
  struct stat status{};
  if (::fstatat(dir, leaf, &status, AT_SYMLINK_NOFOLLOW) != 0) return os_failure(errno, name);
  return status;
}

std::unexpected<Error> not_regular(const std::string& name) {
  return fail(ErrorKind::Input, printable(name) + " is no regular file");
}

// Some network and FUSE file systems cannot sync a directory and say so with these; what they can
// promise for names they have promised with the rename.
bool cannot_sync_directories(int code) {
  return code == EINVAL || code == ENOSYS || code == EOPNOTSUPP;
}

Result<void> sync_descriptor(int directory, const std::string& name) {
  crash_point();
  if (again_if_interrupted([&] { return flush_to_disk(directory); }) == 0) return {};
  if (cannot_sync_directories(errno)) return {};
  return os_failure(errno, "sync directory " + name);
}

// mkdir that is content with a directory that is there. True if it made one.
Result<bool> make_one(int above, const char* leaf, const std::string& name) {
  crash_point();
  if (::mkdirat(above, leaf, kDirectoryMode) == 0) return true;
  const int code = errno;
  struct stat status{};
  if (code == EEXIST && ::fstatat(above, leaf, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISDIR(status.st_mode))
    return false;
  return os_failure(code, name);
}

std::optional<FileType> type_from(unsigned char kind) {
  switch (kind) {
    case DT_UNKNOWN:
      return std::nullopt;
    case DT_REG:
      return FileType::Regular;
    case DT_DIR:
      return FileType::Directory;
    case DT_LNK:
      return FileType::Symlink;
    default:
      return FileType::Other;
  }
}

// Of an open directory; it does not change while it is open.
std::pair<dev_t, ino_t> identity_of(int directory) {
  struct stat status{};
  if (::fstat(directory, &status) != 0) return {};
  return {status.st_dev, status.st_ino};
}

class PosixDirectory final : public Directory {
 public:
  PosixDirectory(Descriptor fd, std::filesystem::path given, std::filesystem::path canonical,
                 std::string mount_kind)
      : fd_(std::move(fd)),
        given_(std::move(given)),
        path_(std::move(canonical)),
        mount_kind_(std::move(mount_kind)),
        ids_(file_ids_of(fd_.get())),
        identity_(identity_of(fd_.get())) {}

  Result<FileInfo> info(const std::string& name) override {
    auto place = Place::find(fd_.get(), name);
    if (!place) return std::unexpected(place.error());
    return info_at(place->directory(), place->leaf(), name);
  }

  Result<std::unique_ptr<InputFile>> open(const std::string& name) override {
    auto place = Place::find(fd_.get(), name);
    if (!place) return std::unexpected(place.error());
    // Looked at first, because opening a device may do something; and again afterwards, because
    // the name may have changed hands in between.
    auto before = status_at(place->directory(), place->leaf(), name);
    if (!before) return std::unexpected(before.error());
    if (!S_ISREG(before->st_mode)) return not_regular(name);
    if (lacks_its_bytes(*before)) return os_failure(placeholder_code(), "open " + name);
    constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    Descriptor file(
        again_if_interrupted([&] { return ::openat(place->directory(), place->leaf(), kFlags); }));
    if (!file) return errno == ENXIO ? not_regular(name) : os_failure(errno, "open " + name);
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return os_failure(errno, name);
    if (!S_ISREG(status.st_mode)) return not_regular(name);
    return make_input_file(std::move(file), name, ids_);
  }

  Result<void> list(const std::string& directory,
                    const std::function<Visit(const Entry&)>& visit) override {
    auto fd = open_directory_beneath(fd_.get(), directory, DirectoryUse::Read);
    if (!fd) return std::unexpected(fd.error());
    const std::unique_ptr<DIR, CloseDir> stream(::fdopendir(fd->get()));
    if (!stream) return os_failure(errno, directory);
    const int entries = fd->release();  // the stream owns it now
    for (;;) {
      errno = 0;
      const dirent* found = ::readdir(stream.get());
      if (!found) break;
      const std::string_view leaf(found->d_name);
      if (leaf == "." || leaf == "..") continue;
      auto type = type_from(found->d_type);
      if (!type) {
        auto status = status_at(entries, found->d_name, found->d_name);
        if (!status) continue;  // removed meanwhile
        type = to_info(*status, ids_).type;
      }
      Entry entry{join_name(directory, leaf), *type, {}};
      const auto look = [&] { return info_at(entries, found->d_name, entry.name); };
      entry.info = std::ref(look);
      if (visit(entry) == Visit::Stop) return {};
    }
    return errno == 0 ? Result<void>{} : os_failure(errno, "list " + directory);
  }

  Result<std::unique_ptr<NewFile>> create(const std::string& name, Access access) override {
    auto place = Place::find(fd_.get(), name);
    if (!place) return std::unexpected(place.error());
    const mode_t mode = access == Access::Shared ? 0666 : 0600;
    crash_point();
    Descriptor file(again_if_interrupted([&] {
      return ::openat(place->directory(), place->leaf(),
                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    }));
    if (!file) return os_failure(errno, "create " + name);
    return make_new_file(std::move(file), name);
  }

  Result<void> make_directories(const std::string& name) override {
    if (name.empty()) return {};
    if (auto checked = check_relative_name(name); !checked) return checked;
    std::string made;
    for (const std::string_view part : split_name(name)) {
      const std::string above = made;
      made = join_name(made, part);
      auto parent = open_directory_beneath(fd_.get(), above, DirectoryUse::Lookup);
      if (!parent) return std::unexpected(parent.error());
      auto is_new = make_one(parent->get(), std::string(part).c_str(), made);
      if (!is_new) return std::unexpected(is_new.error());
      if (!*is_new) continue;
      if (auto synced = sync_directory(above); !synced) return synced;
    }
    return {};
  }

  Result<void> publish(const std::string& from, const std::string& to) override {
    return move(from, to, [](auto... places) { return publish_at(places...); });
  }

  Result<void> replace(const std::string& from, const std::string& to) override {
    return move(from, to, [](auto... places) { return replace_at(places...); });
  }

  Result<void> remove(const std::string& name) override {
    auto place = Place::find(fd_.get(), name);
    if (!place) return std::unexpected(place.error());
    crash_point();
    if (::unlinkat(place->directory(), place->leaf(), 0) == 0) return {};
    return os_failure(errno, "remove " + name);
  }

  Result<void> sync_directory(const std::string& directory) override {
    if (directory.empty()) return sync_descriptor(fd_.get(), path_.string());
    auto fd = open_directory_beneath(fd_.get(), directory, DirectoryUse::Read);
    if (!fd) return std::unexpected(fd.error());
    return sync_descriptor(fd->get(), directory);
  }

  Result<Space> space() override {
    struct statvfs status{};
    if (again_if_interrupted([&] { return ::fstatvfs(fd_.get(), &status); }) != 0)
      return os_failure(errno, path_.string());
    const std::uint64_t unit = status.f_frsize ? status.f_frsize : status.f_bsize;
    Space space;
    space.free_bytes = status.f_bavail * unit;
    space.total_bytes = status.f_blocks * unit;
    // Zero of zero inodes is how btrfs and FAT say that there is no such limit.
    space.free_inodes =
        status.f_files == 0 ? std::numeric_limits<std::uint64_t>::max() : status.f_favail;
    return space;
  }

  Result<bool> takes_files(const std::string& directory) override {
    if (directory.empty()) return may_add_to(fd_.get());
    auto fd = open_directory_beneath(fd_.get(), directory, DirectoryUse::Lookup);
    if (!fd) return std::unexpected(fd.error());
    return may_add_to(fd->get());
  }

  Result<bool> still_there() override {
    struct stat found{};
    if (::stat(given_.c_str(), &found) != 0) {
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return false;
      return os_failure(errno, given_.string());
    }
    return identity_ == std::pair(found.st_dev, found.st_ino);
  }

  const std::string& mount_kind() const override { return mount_kind_; }
  const std::filesystem::path& path() const override { return path_; }

 private:
  static bool may_add_to(int directory) {
    return ::faccessat(directory, ".", W_OK | X_OK, AT_EACCESS) == 0;
  }
  Result<FileInfo> info_at(int directory, const char* leaf, const std::string& name) const {
    auto status = status_at(directory, leaf, name);
    if (!status) return std::unexpected(status.error());
    return to_info(*status, ids_);
  }
  template <typename Call>
  Result<void> move(const std::string& from, const std::string& to, Call call) {
    auto source = Place::find(fd_.get(), from);
    if (!source) return std::unexpected(source.error());
    auto target = Place::find(fd_.get(), to);
    if (!target) return std::unexpected(target.error());
    return call(source->directory(), source->leaf(), target->directory(), target->leaf());
  }

  const Descriptor fd_;
  const std::filesystem::path given_;
  const std::filesystem::path path_;
  const std::string mount_kind_;
  const FileIds ids_;
  const std::pair<dev_t, ino_t> identity_;
};

std::string mount_kind_of(int fd) {
  struct stat here{}, above{};
  const auto type = mount_type_of(fd);
  if (!type || ::fstat(fd, &here) != 0) return "unknown";
  const bool is_root = ::fstatat(fd, "..", &above, 0) == 0 && above.st_dev != here.st_dev;
  return *type + (is_root ? "/root" : "/below");
}

class PosixFileSystem final : public FileSystem {
 public:
  // The path itself comes from the settings: links in it are the owner's and are followed.
  Result<std::unique_ptr<Directory>> open_directory(const std::filesystem::path& path) override {
    std::error_code error;
    auto given = std::filesystem::absolute(path, error);
    if (error) return os_failure(error.value(), path.string());
    Descriptor fd(again_if_interrupted(
        [&] { return ::open(given.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!fd) return folder_refused(errno, given);
    auto canonical = std::filesystem::canonical(given, error);
    if (error) return os_failure(error.value(), given.string());
    auto kind = mount_kind_of(fd.get());
    return std::make_unique<PosixDirectory>(std::move(fd), std::move(given), std::move(canonical),
                                            std::move(kind));
  }

  Result<std::unique_ptr<Directory>> make_directory(const std::filesystem::path& path) override {
    std::error_code error;
    const auto wanted = std::filesystem::absolute(path, error).lexically_normal();
    if (error) return os_failure(error.value(), path.string());
    std::filesystem::path here;
    for (const auto& part : wanted) {
      const std::filesystem::path above = here;
      here /= part;
      if (part.empty() || std::filesystem::is_directory(here, error)) continue;
      auto made = make_one(AT_FDCWD, here.c_str(), here.string());
      if (!made) return std::unexpected(made.error());
      const Descriptor parent(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!parent) return os_failure(errno, above.string());
      if (auto synced = sync_descriptor(parent.get(), above.string()); !synced)
        return std::unexpected(synced.error());
    }
    return open_directory(wanted);
  }
};

}  // namespace

FileSystem& real_file_system() {
  static PosixFileSystem file_system;
  return file_system;
}

}  // namespace millrace
