#include "agent/deliver/local_outbox.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <vector>

#include "agent/deliver/outbox_error.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"
#include "platform/fs/atomic_file.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

constexpr std::uint64_t kMaxReserve = 100'000'000;
constexpr std::uint64_t kInodeReserve = 32;
constexpr std::size_t kMaxOwner = 32;
constexpr std::size_t kReadPiece = 256 * 1024;

// Change time included: a program that edits in place and sets the modification time back must
// not have its edit replaced.
OutputIdentity identity_of(const FileInfo& info) {
  return {info.size, std::to_string(static_cast<int>(info.type)) + "." +
                         std::to_string(info.file_id) + "." + std::to_string(info.mtime_ns) + "." +
                         std::to_string(info.changed_ns)};
}

template <typename T>
Result<T> as_outbox(Result<T> result) {
  if (result) return result;
  return std::unexpected(outbox_error(result.error()));
}

Result<std::optional<OutputIdentity>> find_in(Directory& directory, const Name& name) {
  auto info = directory.info(name);
  if (info) return identity_of(*info);
  if (info.error().kind == ErrorKind::Vanished) return std::nullopt;
  return std::unexpected(info.error());
}

Result<void> expect_there(Directory& directory) {
  auto there = directory.still_there();
  if (!there) return std::unexpected(outbox_error(there.error()));
  if (*there) return {};
  return fail(ErrorKind::Environment,
              "outbox " + printable(path_text(directory.path())) +
                  " is not the folder that was opened (unmounted, moved or replaced)");
}

// Publishes without replacing, or over exactly `replaces`. `publish` and `replace` include the
// sync of the directory.
template <typename Publish, typename Replace>
Result<OutputIdentity> publish_as(Directory& directory, const Name& name,
                                  const std::optional<OutputIdentity>& replaces, Publish publish,
                                  Replace replace) {
  if (auto there = expect_there(directory); !there) return std::unexpected(there.error());
  bool is_replacement = false;
  if (replaces) {
    auto found = find_in(directory, name);
    if (!found) return std::unexpected(outbox_error(found.error()));
    // A version of ours that somebody removed needs no replacing.
    is_replacement = found->has_value();
    if (is_replacement && **found != *replaces)
      return fail(ErrorKind::Exists, printable(name) + " was changed by somebody else");
  }
  if (auto done = is_replacement ? replace() : publish(); !done)
    return std::unexpected(outbox_error(done.error()));
  auto info = directory.info(name);
  if (!info) return std::unexpected(outbox_error(info.error()));
  return identity_of(*info);
}

// Jobs that have an OutputFile open. Thread-safe.
class OpenJobs {
 public:
  void add(JobId job) {
    const MutexLock lock(mutex_);
    ++count_[job];
  }
  void remove(JobId job) {
    const MutexLock lock(mutex_);
    if (--count_[job] == 0) count_.erase(job);
  }
  bool contains(JobId job) {
    const MutexLock lock(mutex_);
    return count_.contains(job);
  }

 private:
  Mutex mutex_;
  std::map<JobId, int> count_ GUARDED_BY(mutex_);
};

class LocalOutputFile final : public OutputFile {
 public:
  LocalOutputFile(Directory& directory, std::unique_ptr<AtomicFile> file, OpenJobs& open, JobId job)
      : directory_(directory), open_(open), job_(job), file_(std::move(file)) {
    open_.add(job_);
  }
  ~LocalOutputFile() override {
    file_.reset();
    open_.remove(job_);
  }

  const Name& temporary_name() const override { return file_->temporary_name(); }
  Result<void> write(std::span<const std::byte> bytes) override {
    return as_outbox(file_->write(bytes));
  }
  // The temporary's name is synced too: the ledger is about to record that it is there.
  Result<void> finish() override {
    if (auto finished = file_->finish(); !finished) return as_outbox(finished);
    return as_outbox(directory_.sync_directory(std::string(parent_of(temporary_name()))));
  }
  Result<OutputIdentity> commit(const std::optional<OutputIdentity>& replaces) override {
    return publish_as(
        directory_, file_->final_name(), replaces, [&] { return file_->publish(); },
        [&] { return file_->replace(); });
  }
  void keep() override { file_->keep(); }

 private:
  Directory& directory_;
  OpenJobs& open_;
  const JobId job_;
  std::unique_ptr<AtomicFile> file_;
};

Result<std::string> hash_of(InputFile& file) {
  Sha256 hash;
  std::vector<std::byte> buffer(kReadPiece);
  for (std::uint64_t offset = 0;;) {
    auto got = file.read_at(offset, buffer);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return to_hex(hash.finish());
    hash.update(std::span(buffer).first(*got));
    offset += *got;
  }
}

enum class Holds { These, Others, Nothing };

Result<Holds> look_for(Directory& directory, const Name& name, const std::string& sha256,
                       std::uint64_t size) {
  auto file = directory.open(name);
  if (!file && file.error().kind == ErrorKind::Vanished) return Holds::Nothing;
  if (!file && file.error().kind == ErrorKind::Input) return Holds::Others;  // link, FIFO, folder
  if (!file) return std::unexpected(file.error());
  auto info = (*file)->info();
  if (!info) return std::unexpected(info.error());
  if (info->size != size) return Holds::Others;
  auto hash = hash_of(**file);
  if (!hash) return std::unexpected(hash.error());
  return *hash == sha256 ? Holds::These : Holds::Others;
}

class LocalOutbox final : public Outbox {
 public:
  LocalOutbox(std::unique_ptr<Directory> directory, LocalOutboxOptions options)
      : directory_(std::move(directory)), options_(std::move(options)) {}

  std::string id() const override { return path_text(directory_->path()); }

  Result<std::optional<OutputIdentity>> find(const Name& name) override {
    if (auto there = expect_there(*directory_); !there) return std::unexpected(there.error());
    return as_outbox(find_in(*directory_, name));
  }

  Result<void> check_space(std::uint64_t bytes) override {
    if (auto there = expect_there(*directory_); !there) return there;
    if (auto marked = expect_marker(); !marked) return marked;
    auto space = directory_->space();
    if (!space) return std::unexpected(outbox_error(space.error()));
    const std::string where = "outbox " + printable(id());
    if (auto taken = expect_writable(""); !taken) return taken;
    const std::uint64_t reserve = space_reserve(space->total_bytes);
    if (space->free_bytes < reserve || space->free_bytes - reserve < bytes)
      return fail(ErrorKind::Environment, where + " has " + std::to_string(space->free_bytes) +
                                              " bytes free; " + std::to_string(bytes) +
                                              " and a reserve of " + std::to_string(reserve) +
                                              " are needed");
    if (space->free_inodes < kInodeReserve)
      return fail(ErrorKind::Environment, where + " has no room for more files (inodes)");
    return {};
  }

  Result<void> check_place(const Name& final_name) override {
    for (auto folder = parent_of(final_name); !folder.empty(); folder = parent_of(folder)) {
      auto info = directory_->info(std::string(folder));
      if (!info && info.error().kind == ErrorKind::Vanished) continue;
      if (!info) return std::unexpected(outbox_error(info.error()));
      if (info->type == FileType::Directory) return expect_writable(std::string(folder));
      return fail(ErrorKind::Exists, printable(describe(std::string(folder))) + " is no folder");
    }
    return {};
  }

  Result<std::unique_ptr<OutputFile>> begin(const Name& final_name, JobId job) override {
    if (auto there = expect_there(*directory_); !there) return std::unexpected(there.error());
    if (auto marked = expect_marker(); !marked) return std::unexpected(marked.error());
    const std::string folder(parent_of(final_name));
    if (auto made = directory_->make_directories(folder); !made)
      return std::unexpected(outbox_error(made.error()));
    auto file = AtomicFile::begin(*directory_, final_name,
                                  options_.owner + "-" + std::to_string(job), Access::Shared);
    if (!file) return std::unexpected(outbox_error(file.error()));
    return std::make_unique<LocalOutputFile>(*directory_, std::move(*file), open_jobs_, job);
  }

  Result<std::optional<OutputIdentity>> adopt(
      const Name& temporary_name, const Name& final_name, const std::string& sha256,
      std::uint64_t size, const std::optional<OutputIdentity>& replaces) override {
    if (auto there = expect_there(*directory_); !there) return std::unexpected(there.error());
    auto aside = look_for(*directory_, temporary_name, sha256, size);
    if (!aside) return std::unexpected(outbox_error(aside.error()));
    auto final = look_for(*directory_, final_name, sha256, size);
    if (!final) return std::unexpected(outbox_error(final.error()));
    if (*final == Holds::These) return take_published(temporary_name, final_name, *aside);
    if (*aside == Holds::These) return publish_temporary(temporary_name, final_name, replaces);
    if (auto cleared = clear(temporary_name, final_name, *aside); !cleared)
      return std::unexpected(cleared.error());
    return std::nullopt;
  }

  Result<Leftovers> remove_leftovers(const Name& name) override {
    if (auto there = expect_there(*directory_); !there) return std::unexpected(there.error());
    std::vector<std::string> pending{std::string(parent_of(name))};
    Leftovers all;
    while (!pending.empty()) {
      const std::string folder = std::move(pending.back());
      pending.pop_back();
      auto listed = leftovers_in(folder, name.empty() ? &pending : nullptr);
      if (!listed) return std::unexpected(outbox_error(listed.error()));
      const int before = all.removed;
      for (const Name& leftover : *listed) {
        auto removed = directory_->remove(leftover);
        const bool gone = removed || removed.error().kind == ErrorKind::Vanished;
        ++(gone ? all.removed : all.left);
      }
      if (all.removed == before) continue;
      // The caller is about to record that they are gone, and would never look here again.
      if (auto synced = directory_->sync_directory(folder); !synced)
        return std::unexpected(outbox_error(synced.error()));
    }
    return all;
  }

  std::string describe(const Name& name) const override {
    return path_text(directory_->path() / native_path(name));
  }

 private:
  Result<void> expect_writable(const std::string& folder) {
    auto taken = directory_->takes_files(folder);
    if (!taken) return std::unexpected(outbox_error(taken.error()));
    if (*taken) return {};
    const std::string where = folder.empty() ? id() : describe(folder);
    return fail(ErrorKind::Environment, "outbox " + printable(where) + " cannot be written to");
  }

  Result<void> expect_marker() {
    if (options_.marker.empty()) return {};
    auto found = directory_->info(options_.marker);
    if (found) return {};
    return fail(ErrorKind::Environment, "outbox " + printable(id()) + " lacks its marker file " +
                                            printable(options_.marker) + "; is it mounted?");
  }

  // The name is published already; perhaps its directory was not synced, perhaps a second link is
  // left.
  Result<std::optional<OutputIdentity>> take_published(const Name& temporary_name,
                                                       const Name& final_name, Holds aside) {
    if (aside != Holds::Nothing) {
      if (auto removed = directory_->remove(temporary_name); !removed)
        return std::unexpected(outbox_error(removed.error()));
    }
    if (auto synced = directory_->sync_directory(std::string(parent_of(final_name))); !synced)
      return std::unexpected(outbox_error(synced.error()));
    return as_outbox(find_in(*directory_, final_name));
  }

  Result<std::optional<OutputIdentity>> publish_temporary(
      const Name& temporary_name, const Name& final_name,
      const std::optional<OutputIdentity>& replaces) {
    const auto then_sync = [&](Result<void> renamed) {
      if (!renamed) return renamed;
      return directory_->sync_directory(std::string(parent_of(final_name)));
    };
    auto published = publish_as(
        *directory_, final_name, replaces,
        [&] { return then_sync(directory_->publish(temporary_name, final_name)); },
        [&] { return then_sync(directory_->replace(temporary_name, final_name)); });
    if (!published) return std::unexpected(published.error());
    return *published;
  }

  // Nothing is to be had. publish() of a name that is gone removes a claim that it left.
  Result<void> clear(const Name& temporary_name, const Name& final_name, Holds aside) {
    if (aside != Holds::Nothing) {
      if (auto removed = directory_->remove(temporary_name); !removed)
        return std::unexpected(outbox_error(removed.error()));
    }
    static_cast<void>(directory_->publish(temporary_name, final_name));
    return {};
  }

  bool is_leftover(std::string_view leaf) {
    const auto owner = temporary_owner(leaf);
    const std::string prefix = options_.owner + "-";
    if (!owner || !owner->starts_with(prefix)) return false;
    JobId job = 0;
    const char* end = owner->data() + owner->size();
    const auto parsed = std::from_chars(owner->data() + prefix.size(), end, job);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return false;
    return !open_jobs_.contains(job) && !(options_.is_live && options_.is_live(job));
  }

  Result<std::vector<Name>> leftovers_in(const std::string& folder,
                                         std::vector<std::string>* folders) {
    std::vector<Name> temporaries;
    std::vector<Name> below;
    auto listed = directory_->list(folder, [&](const Directory::Entry& entry) {
      if (entry.type == FileType::Directory) below.push_back(entry.name);
      if (entry.type == FileType::Regular && temporary_owner(leaf_of(entry.name)))
        temporaries.push_back(entry.name);
      return Visit::Continue;
    });
    // A folder that is gone, or that cannot be entered, has nothing that could be removed now.
    if (!listed && folder.empty()) return std::unexpected(listed.error());
    std::erase_if(temporaries, [&](const Name& name) { return !is_leftover(leaf_of(name)); });
    if (!folders) return temporaries;
    for (Name& name : below)
      if (split_name(name).size() < kMaxNameDepth) folders->push_back(std::move(name));
    return temporaries;
  }

  const std::unique_ptr<Directory> directory_;
  const LocalOutboxOptions options_;
  OpenJobs open_jobs_;
};

bool is_owner(const std::string& text) {
  return !text.empty() && text.size() <= kMaxOwner && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

}  // namespace

std::uint64_t space_reserve(std::uint64_t total_bytes) {
  return std::min(total_bytes / 100, kMaxReserve);
}

Result<std::unique_ptr<Outbox>> open_local_outbox(FileSystem& files,
                                                  const std::filesystem::path& path,
                                                  LocalOutboxOptions options) {
  if (!is_owner(options.owner))
    return fail(ErrorKind::Defect, "not an owner of temporaries: " + printable(options.owner));
  auto directory = files.open_directory(path);
  if (!directory) return std::unexpected(outbox_error(directory.error()));
  const std::string marker = options.marker;
  if (!marker.empty() && !(*directory)->info(marker))
    return fail(ErrorKind::Environment, "outbox " + printable(path_text(path)) +
                                            " lacks its marker file " + printable(marker) +
                                            "; is it mounted?");
  return std::make_unique<LocalOutbox>(std::move(*directory), std::move(options));
}

}  // namespace millrace
