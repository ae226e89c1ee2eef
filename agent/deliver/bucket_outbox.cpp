#include "agent/deliver/bucket_outbox.hpp"

#include <utility>

#include "agent/deliver/local_outbox.hpp"
#include "agent/deliver/object_upload.hpp"
#include "agent/deliver/outbox_error.hpp"
#include "agent/deliver/upload_note.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::size_t kLongestKey = 1024;  // bytes

class SpooledFile final : public OutputFile {
 public:
  SpooledFile(std::unique_ptr<OutputFile> file, Directory& spool, ObjectUpload& upload,
              std::string key)
      : file_(std::move(file)), spool_(spool), upload_(upload), key_(std::move(key)) {}

  const Name& temporary_name() const override { return file_->temporary_name(); }
  Result<void> write(std::span<const std::byte> bytes) override {
    hash_.update(bytes);
    size_ += bytes.size();
    return file_->write(bytes);
  }
  Result<void> finish() override {
    sha256_ = to_hex(hash_.finish());
    return file_->finish();
  }
  Result<OutputIdentity> commit(const std::optional<OutputIdentity>& replaces) override {
    const auto file = spool_.open(temporary_name());
    if (!file) return std::unexpected(outbox_error(file.error()));
    UploadNote note(spool_, temporary_name(), key_);
    auto put = upload_.put(key_, {**file, size_, sha256_, note}, replaces);
    if (!put) return std::unexpected(outbox_error(put.error()));
    return std::move(*put);
  }
  void keep() override { file_->keep(); }

 private:
  const std::unique_ptr<OutputFile> file_;
  Directory& spool_;
  ObjectUpload& upload_;
  const std::string key_;
  Sha256 hash_;
  std::uint64_t size_ = 0;
  std::string sha256_;  // once finished
};

class BucketOutbox final : public Outbox {
 public:
  BucketOutbox(BucketOutboxSettings settings, std::shared_ptr<S3Client> client,
               std::unique_ptr<Directory> folder, std::unique_ptr<Outbox> spool)
      : settings_(std::move(settings)),
        folder_(std::move(folder)),
        spool_(std::move(spool)),
        upload_(std::move(client), settings_.prefix + ".millrace-probe-" + settings_.owner,
                settings_.parts_above, settings_.stop) {}

  std::string id() const override { return settings_.url; }

  Result<std::optional<OutputIdentity>> find(const Name& name) override {
    const auto key = key_of(name);
    if (!key) return std::unexpected(key.error());
    auto found = upload_.find(*key);
    if (!found) return std::unexpected(outbox_error(found.error()));
    return std::move(*found);
  }

  Result<void> check_space(std::uint64_t bytes) override {
    if (auto space = spool_->check_space(bytes); !space) return space;
    const auto takes_objects = upload_.keeps_conditions();
    if (!takes_objects) return std::unexpected(outbox_error(takes_objects.error()));
    return {};
  }

  Result<void> check_place(const Name&) override { return {}; }  // a bucket has no folders

  Result<std::unique_ptr<OutputFile>> begin(const Name& final_name, JobId job) override {
    auto key = key_of(final_name);
    if (!key) return std::unexpected(key.error());
    // All lie in one folder: the names of temporaries tell them apart.
    auto file = spool_->begin("result", job);
    if (!file) return std::unexpected(file.error());
    return std::make_unique<SpooledFile>(std::move(*file), *folder_, upload_, std::move(*key));
  }

  Result<std::optional<OutputIdentity>> adopt(
      const Name& temporary_name, const Name& final_name, const std::string& sha256,
      std::uint64_t size, const std::optional<OutputIdentity>& replaces) override {
    const auto key = key_of(final_name);
    if (!key) return std::unexpected(key.error());
    auto there = upload_.find_these(*key, size, sha256);
    if (!there) return std::unexpected(outbox_error(there.error()));
    if (!*there) {
      auto sent = send_spooled(temporary_name, *key, {sha256, size}, replaces);
      if (!sent) return sent;
      *there = std::move(*sent);
    }
    UploadNote note(*folder_, temporary_name, *key);
    if (*there) {
      upload_.end_parts(*key, note, **there);
    } else {
      static_cast<void>(upload_.drop_parts(*key, note));
    }
    if (auto gone = forget(temporary_name); !gone) return std::unexpected(gone.error());
    return std::move(*there);
  }

  Result<Leftovers> remove_leftovers(const Name&) override {
    auto all = spool_->remove_leftovers({});
    if (!all) return all;
    // Now an upload whose file is gone is nobody's; others in this bucket are not ours to abort.
    const auto orphans = orphaned_uploads(*folder_);
    if (!orphans) return std::unexpected(outbox_error(orphans.error()));
    for (const OrphanedUpload& orphan : *orphans) {
      UploadNote note(*folder_, orphan.temporary, orphan.key);
      ++(upload_.drop_parts(orphan.key, note) ? all->removed : all->left);
    }
    return all;
  }

  std::string describe(const Name& name) const override { return settings_.url + name; }

 private:
  struct Content {
    const std::string& sha256;
    std::uint64_t size;
  };

  Result<std::string> key_of(const Name& name) const {
    std::string key = settings_.prefix + name;
    if (key.size() <= kLongestKey) return key;
    return fail(ErrorKind::Input,
                "the key of its result would be longer than 1,024 bytes: " + printable(key, 300));
  }

  // Nothing if the temporary is gone or cut off. Its bytes are not read for that: the store refuses
  // others than those of the hash. After Input the temporary is gone.
  Result<std::optional<OutputIdentity>> send_spooled(
      const Name& temporary_name, const std::string& key, const Content& content,
      const std::optional<OutputIdentity>& replaces) {
    auto file = folder_->open(temporary_name);
    if (!file && file.error().kind == ErrorKind::Vanished) return std::nullopt;
    if (!file) return std::unexpected(outbox_error(file.error()));
    const auto info = (*file)->info();
    if (!info) return std::unexpected(outbox_error(info.error()));
    if (info->size != content.size) return std::nullopt;
    UploadNote note(*folder_, temporary_name, key);
    auto put = upload_.put(key, {**file, content.size, content.sha256, note}, replaces);
    if (put) return std::move(*put);
    Error error = outbox_error(put.error());
    if (error.kind == ErrorKind::Input) {
      file->reset();
      discard(temporary_name, note, key);
    }
    return std::unexpected(std::move(error));
  }

  // What the store will never take is of no use to a later try. A note whose upload cannot be
  // aborted now stays, and is then one of an orphan.
  void discard(const Name& temporary_name, UploadNote& note, const std::string& key) {
    static_cast<void>(upload_.drop_parts(key, note));
    static_cast<void>(forget(temporary_name));
  }

  Result<void> forget(const Name& temporary_name) {
    const auto removed = folder_->remove(temporary_name);
    if (removed || removed.error().kind == ErrorKind::Vanished) return {};
    return std::unexpected(outbox_error(removed.error()));
  }

  const BucketOutboxSettings settings_;
  const std::unique_ptr<Directory> folder_;
  const std::unique_ptr<Outbox> spool_;
  ObjectUpload upload_;
};

}  // namespace

Result<std::unique_ptr<Outbox>> open_bucket_outbox(BucketOutboxSettings settings,
                                                   std::shared_ptr<S3Client> client,
                                                   FileSystem& files,
                                                   const std::filesystem::path& spool) {
  auto outbox = open_local_outbox(files, spool, {settings.owner, {}, {}});
  if (!outbox) return std::unexpected(outbox.error());
  auto folder = files.open_directory(spool);
  if (!folder) return std::unexpected(outbox_error(folder.error()));
  return std::make_unique<BucketOutbox>(std::move(settings), std::move(client), std::move(*folder),
                                        std::move(*outbox));
}

}  // namespace millrace
