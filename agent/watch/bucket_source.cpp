#include "agent/watch/bucket_source.hpp"

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "platform/base/mutex.hpp"
#include "platform/base/text.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

constexpr std::size_t kLongestKey = 1024;  // bytes
constexpr int kMostSameNames = 1000;       // on a shelf
constexpr std::size_t kMostCopies = 10'000;
constexpr std::string_view kNoteSuffix = ".error.json";

// What a job does with it: settle anew, fail for good, stop. All else is of the store, which is
// asked again later and costs the job no attempt.
Error source_error(const S3Failure& failure) {
  Error error = failure;
  switch (error.kind) {
    case ErrorKind::Changed:
    case ErrorKind::Vanished:
    case ErrorKind::Stopped:
    case ErrorKind::Input:
    case ErrorKind::Exists:
      return error;
    default:
      error.kind = ErrorKind::Environment;
      return error;
  }
}

std::unexpected<Error> refused(const S3Failure& failure) {
  return std::unexpected(source_error(failure));
}

// The same for a note: whether it is there says nothing of the source.
std::unexpected<Error> note_refused(const S3Failure& failure) {
  Error error = failure;
  if (error.kind != ErrorKind::Stopped && error.kind != ErrorKind::Input)
    error.kind = ErrorKind::Environment;
  return std::unexpected(std::move(error));
}

enum class Holds { Nothing, These, Others };

class BucketReader final : public SourceReader {
 public:
  BucketReader(std::shared_ptr<S3Client> client, std::string key, const Candidate& candidate,
               std::stop_token stop)
      : client_(std::move(client)),
        key_(std::move(key)),
        etag_(candidate.version),
        size_(candidate.size),
        stop_(std::move(stop)) {}

  // The request goes out with the first read, since many candidates are opened and never read.
  Result<std::size_t> read(std::span<std::byte> into) override {
    if (failed_) return std::unexpected(*failed_);
    if (!object_) {
      auto object = client_->get(key_, {.if_match = etag_}, stop_);
      if (!object) return end_with(source_error(object.error()));
      if (object->info().size != size_)
        return end_with({ErrorKind::Changed, "the object has another size than was listed", 0, {}});
      object_.emplace(std::move(*object));
    }
    auto got = object_->read(into);
    if (got) return got;
    Error error = got.error();
    if (error.kind != ErrorKind::Stopped) error.kind = ErrorKind::Environment;
    return end_with(std::move(error));
  }

  std::uint64_t size() const override { return size_; }

  Result<void> rewind() override {
    object_.reset();
    return {};
  }

  Result<void> check_unchanged() override {
    const auto now = look();
    if (!now) return std::unexpected(now.error());
    return {};
  }

  Result<SourceLink> link(std::chrono::seconds life) override {
    const auto now = look();
    if (!now) return std::unexpected(now.error());
    // "null" is what was put while the bucket kept no versions, and is replaced as any object.
    const std::string version = now->version_id == "null" ? "" : now->version_id;
    auto url = client_->read_link(key_, version, life, stop_);
    if (!url) return refused(url.error());
    return SourceLink{std::move(*url), !version.empty()};
  }

  std::string content_name() const override {
    const BucketPlace& place = client_->place();
    return "object 1\n" + to_lower_ascii(place.endpoint) + '\n' + place.bucket + '\n' + etag_ +
           '\n' + std::to_string(size_) + '\n' + key_;
  }

 private:
  Result<ObjectInfo> look() {
    auto now = client_->look_for(key_, {}, stop_);
    if (!now) return refused(now.error());
    if (now->etag != etag_ || now->size != size_)
      return fail(ErrorKind::Changed, "the object was replaced meanwhile");
    return std::move(*now);
  }

  std::unexpected<Error> end_with(Error error) {
    failed_ = std::move(error);
    return std::unexpected(*failed_);
  }

  const std::shared_ptr<S3Client> client_;
  const std::string key_, etag_;
  const std::uint64_t size_;
  const std::stop_token stop_;
  std::optional<OpenObject> object_;
  std::optional<Error> failed_;
};

class BucketSource final : public Source {
 public:
  BucketSource(BucketSourceSettings settings, std::shared_ptr<S3Client> client)
      : settings_(std::move(settings)), client_(std::move(client)) {}

  Result<std::unique_ptr<SourceReader>> open(const Candidate& candidate) override {
    return std::make_unique<BucketReader>(client_, key_of(candidate), candidate, settings_.stop);
  }

  Result<void> check(const Candidate& candidate) override {
    return BucketReader(client_, key_of(candidate), candidate, settings_.stop).check_unchanged();
  }

  Result<void> remove(const Candidate& candidate) override {
    const auto removed = client_->remove(key_of(candidate), candidate.version, settings_.stop);
    if (!removed) return refused(removed.error());
    return {};
  }

  Result<std::string> shelve(const Candidate& candidate, Shelf shelf,
                             const std::string& note) override {
    const std::string& prefix = shelf == Shelf::Archive ? settings_.archive : settings_.quarantine;
    const std::string what = prefix + candidate.version + key_of(candidate);
    std::optional<std::string> key = made_before(what);
    if (!key) {
      auto copy = copy_to(prefix, candidate, note.empty() ? 0 : kNoteSuffix.size());
      if (!copy) return copy;
      key = std::move(*copy);
      remember(what, *key);
    }
    if (!note.empty()) {
      if (auto written = write_note(*key, note); !written) return std::unexpected(written.error());
    }
    if (auto removed = remove(candidate); !removed) return std::unexpected(removed.error());
    const MutexLock lock(mutex_);
    copies_.erase(what);
    return std::move(*key);
  }

  // The source is deleted last, so that shelve() finds all that is left to do.
  Result<void> finish_shelving(const Candidate&, Shelf, const std::string&) override { return {}; }

  std::string describe(const Name& name) const override { return settings_.url + name; }

 private:
  std::string key_of(const Candidate& candidate) const { return settings_.prefix + candidate.name; }

  // Gives the key of the copy, behind which `more` bytes fit.
  Result<std::string> copy_to(const std::string& prefix, const Candidate& candidate,
                              std::size_t more) {
    for (int number = 1; number <= kMostSameNames; ++number) {
      std::string key = prefix + numbered(candidate.name, number);
      if (key.size() + more > kLongestKey)
        return fail(ErrorKind::Input, "its key" + std::string(more > 0 ? " and its note's" : "") +
                                          " would be longer than 1,024 bytes there");
      const auto copied = client_->copy(
          key_of(candidate), key, {.if_match = candidate.version, .if_taken = IfTaken::Refuse},
          settings_.stop);
      if (copied) return key;
      if (copied.error().kind != ErrorKind::Exists) return refused(copied.error());
      const auto there = client_->head(key, {}, settings_.stop);
      if (!there && there.error().kind != ErrorKind::Vanished) return refused(there.error());
      if (there && there->etag == candidate.version && there->size == candidate.size) return key;
    }
    return fail(ErrorKind::Environment, "there are too many of that name");
  }

  // Behind the copy; what others have of that name stays.
  Result<void> write_note(const std::string& copy, const std::string& note) {
    for (int number = 1; number <= kMostSameNames; ++number) {
      const std::string key = numbered(copy + std::string(kNoteSuffix), number);
      if (key.size() > kLongestKey)
        return fail(ErrorKind::Input, "its note's key would be longer than 1,024 bytes there");
      auto there = look_at(key, note);
      if (there && *there == Holds::Nothing) {
        const auto written = put_note(key, note);
        if (written) return {};
        if (written.error().kind != ErrorKind::Exists) return note_refused(written.error());
        there = look_at(key, note);
      }
      if (!there) return note_refused(there.error());
      // Of a run that was cut off behind this.
      if (*there == Holds::These) return {};
    }
    return fail(ErrorKind::Environment, "there are too many notes of that name");
  }

  S3Result<Stored> put_note(const std::string& key, const std::string& note) {
    PutOptions options{.content_type = "application/json"};
    auto written = client_->put(key, body_of(note), options, settings_.stop);
    if (written || written.error().status != 501) return written;
    // The store knows no conditions, but it was looked a moment ago.
    options.if_taken = IfTaken::Replace;
    return client_->put(key, body_of(note), options, settings_.stop);
  }

  S3Result<Holds> look_at(const std::string& key, std::string_view bytes) {
    auto object = client_->get(key, {}, settings_.stop);
    if (!object && object.error().kind == ErrorKind::Vanished) return Holds::Nothing;
    if (!object) return std::unexpected(object.error());
    std::array<std::byte, 4096> buffer;
    for (;;) {
      const auto got = object->read(buffer);
      if (!got) return std::unexpected(S3Failure{got.error(), {}, 0});
      if (*got == 0) return bytes.empty() ? Holds::These : Holds::Others;
      if (*got > bytes.size() || std::memcmp(buffer.data(), bytes.data(), *got) != 0)
        return Holds::Others;
      bytes.remove_prefix(*got);
    }
  }

  static Name numbered(const Name& name, int number) {
    if (number == 1) return name;
    const std::size_t leaf = name.size() - leaf_of(name).size();
    const auto dot = name.rfind('.');
    const std::size_t at = dot == Name::npos || dot <= leaf ? name.size() : dot;
    return name.substr(0, at) + " (" + std::to_string(number) + ")" + name.substr(at);
  }

  std::optional<std::string> made_before(const std::string& what) {
    const MutexLock lock(mutex_);
    const auto found = copies_.find(what);
    return found == copies_.end() ? std::nullopt : std::optional(found->second);
  }

  void remember(const std::string& what, const std::string& copy) {
    const MutexLock lock(mutex_);
    if (copies_.size() < kMostCopies) copies_[what] = copy;
  }

  const BucketSourceSettings settings_;
  const std::shared_ptr<S3Client> client_;

  Mutex mutex_;
  // Keys of copies whose source could not be deleted yet. The store may give a copy another ETag
  // (one of an object of parts, or with a key of its own), so that it is not known again by that.
  std::map<std::string, std::string> copies_ GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Source> make_bucket_source(BucketSourceSettings settings,
                                           std::shared_ptr<S3Client> client) {
  return std::make_unique<BucketSource>(std::move(settings), std::move(client));
}

}  // namespace millrace
