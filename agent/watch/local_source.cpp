#include "agent/watch/local_source.hpp"

#include <utility>

#include "agent/watch/mount_memory.hpp"
#include "agent/watch/placeholders.hpp"
#include "agent/watch/shelf.hpp"
#include "agent/watch/version.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/permissions.hpp"
#include "platform/fs/path_text.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {
namespace {

// The inbox as it was opened: shared, because readers go on with it after a remount replaced it.
struct OpenInbox {
  std::unique_ptr<Directory> directory;
  FileSystemNature nature = FileSystemNature::Local;
  bool everybody_may_write = false;
};
using SharedInbox = std::shared_ptr<const OpenInbox>;

// Its bytes were here when it settled: it settles anew, and is then left out like all such files.
Error sent_away() { return {ErrorKind::Changed, "its bytes have been moved to the cloud", 0, {}}; }

// A name that is gone from an inbox that is gone says nothing about the file.
Error explained(Error error, Directory& directory) {
  if (means_placeholder(error)) return sent_away();
  if (error.kind != ErrorKind::Vanished) return error;
  auto there = directory.still_there();
  if (there && *there) return error;
  return {ErrorKind::Environment, "the inbox is not there", error.os_code, {}};
}

Result<FileInfo> look(const OpenInbox& inbox, const Candidate& candidate) {
  auto info = inbox.directory->info(candidate.name);
  if (!info) return std::unexpected(explained(info.error(), *inbox.directory));
  if (info->type != FileType::Regular) {
    return fail(ErrorKind::Input, "it is no regular file (a link, a folder or a device)");
  }
  if (!is_version(*info, inbox.nature, candidate.version)) {
    return fail(ErrorKind::Changed, "the file changed since it settled");
  }
  return info;
}

class LocalReader final : public SourceReader {
 public:
  LocalReader(SharedInbox inbox, Candidate candidate, std::unique_ptr<InputFile> file,
              std::uint64_t size)
      : inbox_(std::move(inbox)),
        candidate_(std::move(candidate)),
        file_(std::move(file)),
        size_(size) {}

  Result<std::size_t> read(std::span<std::byte> into) override {
    if (failed_) return std::unexpected(*failed_);
    auto got = file_->read_at(offset_, into);
    if (got) {
      offset_ += *got;
      return got;
    }
    failed_ = means_placeholder(got.error()) ? sent_away() : got.error();
    return std::unexpected(*failed_);
  }

  std::uint64_t size() const override { return size_; }

  Result<void> rewind() override {
    offset_ = 0;
    return {};
  }

  Result<void> check_unchanged() override {
    // On a local file system a version names the file itself, so that its name tells it all.
    if (inbox_->nature != FileSystemNature::Local) {
      auto open = file_->info();
      if (!open) return std::unexpected(open.error());
      if (!is_version(*open, inbox_->nature, candidate_.version)) {
        return fail(ErrorKind::Changed, "the file changed while it was read");
      }
    }
    auto named = look(*inbox_, candidate_);
    if (!named) return std::unexpected(named.error());
    return {};
  }

 private:
  const SharedInbox inbox_;
  const Candidate candidate_;
  const std::unique_ptr<InputFile> file_;
  const std::uint64_t size_;
  std::uint64_t offset_ = 0;
  std::optional<Error> failed_;
};

class LocalSource final : public Source {
 public:
  LocalSource(LocalSourceSettings settings, FileSystem& file_system)
      : settings_(std::move(settings)), file_system_(file_system) {}

  Result<std::unique_ptr<SourceReader>> open(const Candidate& candidate) override {
    auto inbox = open_inbox();
    if (!inbox) return std::unexpected(inbox.error());
    auto file = (*inbox)->directory->open(candidate.name);
    if (!file) return std::unexpected(explained(file.error(), *(*inbox)->directory));
    auto info = (*file)->info();
    if (!info) return std::unexpected(info.error());
    if (!is_version(*info, (*inbox)->nature, candidate.version)) {
      return fail(ErrorKind::Changed, "the file changed since it settled");
    }
    if (info->placeholder) return std::unexpected(sent_away());
    if ((*inbox)->everybody_may_write && info->links > 1) {
      return fail(ErrorKind::Input,
                  "it has a second hard link, and everybody may write into this inbox");
    }
    return std::make_unique<LocalReader>(*inbox, candidate, std::move(*file), info->size);
  }

  Result<void> check(const Candidate& candidate) override {
    auto inbox = open_inbox();
    if (!inbox) return std::unexpected(inbox.error());
    auto info = look(**inbox, candidate);
    if (!info) return std::unexpected(info.error());
    return {};
  }

  Result<void> remove(const Candidate& candidate) override {
    auto inbox = open_inbox();
    if (!inbox) return std::unexpected(inbox.error());
    Directory& directory = *(*inbox)->directory;
    if (auto info = look(**inbox, candidate); !info) return std::unexpected(info.error());
    if (auto removed = directory.remove(candidate.name); !removed) return removed;
    return directory.sync_directory(std::string(parent_of(candidate.name)));
  }

  Result<std::string> shelve(const Candidate& candidate, Shelf shelf,
                             const std::string& note) override {
    auto inbox = open_inbox();
    if (!inbox) return std::unexpected(inbox.error());
    const auto& place = shelf == Shelf::Archive ? settings_.archive : settings_.quarantine;
    auto name =
        move_to_shelf({file_system_, *(*inbox)->directory, place, candidate.name,
                       [&] {
                         auto same = look(**inbox, candidate);
                         return same ? Result<void>() : Result<void>(std::unexpected(same.error()));
                       },
                       settings_.owner});
    if (!name) return std::unexpected(name.error());
    if (!note.empty()) {
      auto directory = file_system_.open_directory(place);
      if (!directory) return std::unexpected(directory.error());
      auto wrote = write_note(**directory, *name, note, settings_.owner);
      if (!wrote) return std::unexpected(wrote.error());
    }
    return path_text(place / native_path(*name));
  }

  Result<void> finish_shelving(const Candidate& candidate, Shelf shelf,
                               const std::string& note) override {
    auto inbox = open_inbox();
    if (!inbox) return std::unexpected(inbox.error());
    const auto& place = shelf == Shelf::Archive ? settings_.archive : settings_.quarantine;
    auto directory = file_system_.open_directory(place);
    if (!directory && directory.error().kind == ErrorKind::Vanished) return {};
    if (!directory) return std::unexpected(directory.error());
    auto removed = remove_temporaries(**directory, candidate.name, settings_.owner);
    if (!removed || note.empty() || look(**inbox, candidate)) return removed;
    const auto found = find_without_note(**directory, candidate.name, candidate.size);
    if (!found) return std::unexpected(found.error());
    if (!*found) return {};
    const auto wrote = write_note(**directory, **found, note, settings_.owner);
    if (!wrote) return std::unexpected(wrote.error());
    return {};
  }

  std::string describe(const Name& name) const override {
    return path_text(settings_.inbox / native_path(name));
  }

 private:
  Result<SharedInbox> open_inbox() {
    SharedInbox known;
    {
      MutexLock lock(mutex_);
      known = inbox_;
    }
    if (known) {
      // A share whose server died answers every call with an error, for ever, on what was opened
      // before; opened anew it says what holds now.
      auto there = known->directory->still_there();
      if (there && *there) return known;
    }
    auto opened = open_anew();
    MutexLock lock(mutex_);
    inbox_ = opened ? *opened : nullptr;
    return opened;
  }

  Result<SharedInbox> open_anew() {
    auto fresh = std::make_shared<OpenInbox>();
    auto directory = file_system_.open_directory(settings_.inbox);
    if (!directory) return away(directory.error());
    MountMemory mounts;
    {
      MutexLock lock(mutex_);
      mounts = mounts_;
    }
    if (auto admitted = mounts.admit(**directory); !admitted) return away(admitted.error());
    {
      MutexLock lock(mutex_);
      mounts_ = mounts;
    }
    // A file system that the system below does not know (a test's own) is taken as local.
    fresh->nature = nature_of(settings_.inbox).value_or(FileSystemNature::Local);
    std::error_code unknown;
    const auto mode = permissions_of(settings_.inbox, unknown);
    fresh->everybody_may_write =
        !unknown && (mode & std::filesystem::perms::others_write) != std::filesystem::perms::none;
    fresh->directory = std::move(*directory);
    return fresh;
  }

  static std::unexpected<Error> away(Error error) {
    error.kind = ErrorKind::Environment;
    return with_context(std::move(error), "the inbox is not there");
  }

  const LocalSourceSettings settings_;
  FileSystem& file_system_;

  Mutex mutex_;
  SharedInbox inbox_ GUARDED_BY(mutex_);
  MountMemory mounts_ GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Source> make_local_source(LocalSourceSettings settings, FileSystem& file_system) {
  return std::make_unique<LocalSource>(std::move(settings), file_system);
}

}  // namespace millrace
