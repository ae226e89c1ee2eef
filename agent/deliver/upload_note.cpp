#include "agent/deliver/upload_note.hpp"

#include <span>
#include <string_view>
#include <utility>

#include "agent/s3/uri.hpp"
#include "platform/fs/atomic_file.hpp"
#include "platform/fs/small_file.hpp"

namespace millrace {
namespace {

constexpr std::string_view kSuffix = ".upload";
constexpr std::size_t kMost = 16 * 1024;  // bytes; a key of 1,024 bytes is 3,072 at most here

struct Note {
  std::string key;
  std::string upload_id;
};

// Nothing if there is none, or if it is none of ours.
Result<std::optional<Note>> read_note(Directory& folder, const Name& name) {
  auto text = read_small_file(folder, name, kMost);
  if (!text && (text.error().kind == ErrorKind::Vanished || text.error().kind == ErrorKind::Input))
    return std::nullopt;
  if (!text) return std::unexpected(text.error());
  const auto line = text->find('\n');
  if (line == std::string::npos || !text->ends_with('\n')) return std::nullopt;
  const std::string_view all = *text;
  return Note{uri_decode(all.substr(0, line)),
              uri_decode(all.substr(line + 1, all.size() - line - 2))};
}

Result<void> remove_file(Directory& folder, const Name& name) {
  auto removed = folder.remove(name);
  if (!removed && removed.error().kind == ErrorKind::Vanished) return {};
  return removed;
}

}  // namespace

Result<std::optional<std::string>> UploadNote::recall() {
  auto note = read_note(folder_, temporary_ + std::string(kSuffix));
  if (!note) return std::unexpected(note.error());
  if (!*note || (*note)->key != key_) return std::nullopt;
  return std::move((*note)->upload_id);
}

Result<void> UploadNote::remember(const std::string& upload_id) {
  // Whoever may remove the temporary may remove a beginning of this one, too.
  const auto owner = temporary_owner(temporary_);
  if (!owner) return fail(ErrorKind::Defect, temporary_ + " is no temporary");
  auto file =
      AtomicFile::begin(folder_, temporary_ + std::string(kSuffix), *owner, Access::OwnerOnly);
  if (!file) return std::unexpected(file.error());
  const std::string text = uri_encode(key_) + '\n' + uri_encode(upload_id) + '\n';
  if (auto wrote = (*file)->write(std::as_bytes(std::span(text))); !wrote) return wrote;
  if (auto finished = (*file)->finish(); !finished) return finished;
  return (*file)->replace();
}

Result<void> UploadNote::forget() {
  return remove_file(folder_, temporary_ + std::string(kSuffix));
}

Result<std::vector<OrphanedUpload>> orphaned_uploads(Directory& folder) {
  std::vector<Name> temporaries;
  auto listed = folder.list("", [&](const Directory::Entry& entry) {
    std::string_view name = entry.name;
    if (!name.ends_with(kSuffix)) return Visit::Continue;
    name.remove_suffix(kSuffix.size());
    if (temporary_owner(name)) temporaries.emplace_back(name);
    return Visit::Continue;
  });
  if (!listed) return std::unexpected(listed.error());
  std::vector<OrphanedUpload> orphans;
  for (Name& temporary : temporaries) {
    const auto there = folder.info(temporary);
    if (there) continue;
    if (there.error().kind != ErrorKind::Vanished) return std::unexpected(there.error());
    const Name note_name = temporary + std::string(kSuffix);
    auto note = read_note(folder, note_name);
    if (!note) return std::unexpected(note.error());
    if (*note) {
      orphans.push_back({std::move(temporary), std::move((*note)->key)});
    } else if (auto removed = remove_file(folder, note_name); !removed) {
      return std::unexpected(removed.error());
    }
  }
  return orphans;
}

}  // namespace millrace
