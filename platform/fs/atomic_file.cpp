#include "platform/fs/atomic_file.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <random>

#include "platform/base/sha256.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

constexpr std::string_view kPrefix = ".millrace-";
constexpr std::string_view kSuffix = ".tmp";
constexpr std::size_t kRandomDigits = 16;
constexpr std::size_t kMaxOwner = 64;

bool is_owner(std::string_view text) {
  return !text.empty() && text.size() <= kMaxOwner && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Not to be guessed, so that nobody can plant something at the name beforehand.
std::string random_digits() {
  // Made once: making one asks the processor what it can, which a virtual machine answers slowly.
  static std::mutex mutex;
  static std::random_device random;
  const std::scoped_lock lock(mutex);
  const std::array<std::uint32_t, 2> bits{random(), random()};
  return to_hex(std::as_bytes(std::span(bits)));
}

std::string new_temporary_name(std::string_view final_name, std::string_view owner) {
  return join_name(
      parent_of(final_name),
      std::string(kPrefix).append(owner).append("-").append(random_digits()).append(kSuffix));
}

}  // namespace

Result<std::unique_ptr<AtomicFile>> AtomicFile::begin(Directory& directory, std::string final_name,
                                                      std::string_view owner, Access access,
                                                      Durability durability) {
  if (!is_owner(owner)) return fail(ErrorKind::Defect, "not an owner: " + std::string(owner));
  if (auto checked = check_relative_name(final_name); !checked)
    return std::unexpected(checked.error());
  constexpr int kTries = 4;  // a name is taken only if somebody guessed 64 random bits
  Error last;
  for (int i = 0; i < kTries; ++i) {
    std::string temporary = new_temporary_name(final_name, owner);
    auto file = directory.create(temporary, access);
    if (file)
      return std::unique_ptr<AtomicFile>(new AtomicFile(
          directory, std::move(final_name), std::move(temporary), std::move(*file), durability));
    last = file.error();
    if (last.kind != ErrorKind::Exists) return std::unexpected(std::move(last));
  }
  last.kind = ErrorKind::Environment;
  return std::unexpected(std::move(last));
}

AtomicFile::AtomicFile(Directory& directory, std::string final_name, std::string temporary,
                       std::unique_ptr<NewFile> file, Durability durability)
    : directory_(directory),
      final_(std::move(final_name)),
      temporary_(std::move(temporary)),
      durability_(durability),
      file_(std::move(file)) {}

AtomicFile::~AtomicFile() {
  if (!removes_ || state_ == State::Published) return;
  // Another file's sync may have made the name durable by now. Its removal must be as durable: the
  // caller goes on to record that this attempt is over, and nobody would look for the name again.
  if (directory_.remove(temporary_) && durability_ == Durability::Full)
    static_cast<void>(directory_.sync_directory(std::string(parent_of(temporary_))));
}

Result<void> AtomicFile::end_with(Error error) {
  state_ = State::Failed;
  return std::unexpected(std::move(error));
}

Result<void> AtomicFile::expect(State state) const {
  if (state_ == state) return {};
  if (state_ == State::Failed)
    return fail(ErrorKind::Environment, temporary_ + " failed before; write a new one");
  return fail(ErrorKind::Defect, temporary_ + ": call out of order");
}

Result<void> AtomicFile::write(std::span<const std::byte> bytes) {
  if (auto ready = expect(State::Writing); !ready) return ready;
  if (auto wrote = file_->write(bytes); !wrote) return end_with(wrote.error());
  return {};
}

Result<void> AtomicFile::finish() {
  if (auto ready = expect(State::Writing); !ready) return ready;
  if (auto synced = durability_ == Durability::None ? Result<void>{} : file_->sync(); !synced)
    return end_with(synced.error());
  if (auto closed = file_->close(); !closed) return end_with(closed.error());
  state_ = State::Finished;
  return {};
}

Result<void> AtomicFile::after_rename(Result<void> renamed) {
  if (!renamed) return renamed;  // the temporary is still whole: another name may be tried
  state_ = State::Published;
  if (durability_ != Durability::Full) return {};
  return directory_.sync_directory(std::string(parent_of(final_)));
}

Result<void> AtomicFile::publish() {
  if (auto ready = expect(State::Finished); !ready) return ready;
  return after_rename(directory_.publish(temporary_, final_));
}

Result<void> AtomicFile::replace() {
  if (auto ready = expect(State::Finished); !ready) return ready;
  return after_rename(directory_.replace(temporary_, final_));
}

std::optional<std::string> temporary_owner(std::string_view leaf) {
  if (!leaf.starts_with(kPrefix) || !leaf.ends_with(kSuffix)) return std::nullopt;
  if (leaf.size() < kPrefix.size() + kSuffix.size() + kRandomDigits + 2) return std::nullopt;
  leaf.remove_prefix(kPrefix.size());
  leaf.remove_suffix(kSuffix.size());
  const std::string_view random = leaf.substr(leaf.size() - kRandomDigits);
  leaf.remove_suffix(kRandomDigits);
  if (!is_hex(random) || !leaf.ends_with('-')) return std::nullopt;
  leaf.remove_suffix(1);
  return is_owner(leaf) ? std::optional<std::string>(leaf) : std::nullopt;
}

}  // namespace millrace
