#include "agent/watch/shelf.hpp"

#include <algorithm>
#include <vector>

#include "platform/base/native_path.hpp"
#include "platform/fs/atomic_file.hpp"
#include "platform/fs/os_error.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestPart = 255;  // bytes of one part of a name, nearly everywhere
constexpr int kMostNumbers = 100'000;
constexpr std::size_t kBuffer = 256 * 1024;

Name with_suffix(const Name& name, std::string_view stem, const std::string& suffix) {
  stem = stem.substr(0, kLongestPart - std::min(kLongestPart, suffix.size()));
  return join_name(parent_of(name), std::string(stem) + suffix);
}

Name note_name(const Name& name) { return with_suffix(name, leaf_of(name), ".error.json"); }

// Tries `place` with the name and its numbered forms until one is free.
template <typename Place>
Result<Name> under_a_free_name(const Name& wanted, Place place) {
  for (int number = 1; number < kMostNumbers; ++number) {
    Name name = number == 1 ? wanted : numbered(wanted, number);
    Result<void> placed = place(name);
    if (placed) return name;
    if (placed.error().kind != ErrorKind::Exists) return std::unexpected(placed.error());
  }
  return fail(ErrorKind::Environment, "no free name for " + wanted);
}

// A directory above both, and the way down from it.
struct Common {
  fs::path above;
  Name inbox;
  Name shelf;
};

Common common_of(const fs::path& inbox, const fs::path& shelf) {
  Common common;
  auto [a, b] = std::mismatch(inbox.begin(), inbox.end(), shelf.begin(), shelf.end());
  for (auto it = inbox.begin(); it != a; ++it) common.above /= *it;
  for (; a != inbox.end(); ++a) common.inbox = join_name(common.inbox, path_text(*a));
  for (; b != shelf.end(); ++b) common.shelf = join_name(common.shelf, path_text(*b));
  return common;
}

Result<Name> rename_over(const ShelfMove& move, const Common& common, Directory& shelf) {
  auto above = move.file_system.open_directory(common.above);
  if (!above) return std::unexpected(above.error());
  const Name from = join_name(common.inbox, move.name);
  auto before = (*above)->info(from);
  if (!before) return std::unexpected(before.error());
  if (auto same = move.check(); !same) return std::unexpected(same.error());
  auto name = under_a_free_name(move.name, [&](const Name& to) {
    return (*above)->publish(from, join_name(common.shelf, to));
  });
  if (!name) return name;
  // Another file may have taken the name since the check: that one goes back.
  const Name to = join_name(common.shelf, *name);
  auto after = (*above)->info(to);
  if (!after) return std::unexpected(after.error());
  if (after->size != before->size || after->mtime_ns != before->mtime_ns ||
      after->file_id != before->file_id) {
    if (auto back = (*above)->publish(to, from); !back) return std::unexpected(back.error());
    return fail(ErrorKind::Changed, "another file took its place");
  }
  if (auto synced = shelf.sync_directory(std::string(parent_of(*name))); !synced) {
    return std::unexpected(synced.error());
  }
  if (auto synced = move.inbox.sync_directory(std::string(parent_of(move.name))); !synced) {
    return std::unexpected(synced.error());
  }
  return name;
}

using Chunk = std::function<Result<void>(std::uint64_t offset, std::span<const std::byte> bytes)>;

Result<void> for_each_chunk(InputFile& file, const Chunk& take) {
  std::vector<std::byte> buffer(kBuffer);
  for (std::uint64_t offset = 0;;) {
    auto got = file.read_at(offset, buffer);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return {};
    if (auto taken = take(offset, std::span(buffer).first(*got)); !taken) return taken;
    offset += *got;
  }
}

Result<void> compare(InputFile& source, InputFile& copy) {
  std::uint64_t length = 0;
  std::vector<std::byte> other(kBuffer);
  auto same = for_each_chunk(source, [&](std::uint64_t offset, std::span<const std::byte> bytes) {
    length = offset + bytes.size();
    for (std::size_t done = 0; done < bytes.size();) {
      auto got = copy.read_at(offset + done, std::span(other).first(bytes.size() - done));
      if (!got) return Result<void>(std::unexpected(got.error()));
      const auto part = bytes.subspan(done, *got);
      if (*got == 0 || !std::equal(part.begin(), part.end(), other.begin())) {
        return Result<void>(fail(ErrorKind::Environment, "the copy differs from its source"));
      }
      done += *got;
    }
    return Result<void>();
  });
  if (!same) return same;
  auto info = copy.info();
  if (!info) return std::unexpected(info.error());
  if (info->size != length) return fail(ErrorKind::Environment, "the copy differs from its source");
  return {};
}

Result<std::unique_ptr<AtomicFile>> copy_aside(const ShelfMove& move, Directory& shelf) {
  auto source = move.inbox.open(move.name);
  if (!source) return std::unexpected(source.error());
  if (auto same = move.check(); !same) return std::unexpected(same.error());
  auto file = AtomicFile::begin(shelf, move.name, move.owner, Access::Shared);
  if (!file) return file;
  auto copied = for_each_chunk(**source, [&](std::uint64_t, std::span<const std::byte> bytes) {
    return (*file)->write(bytes);
  });
  if (copied) copied = (*file)->finish();
  if (!copied) return std::unexpected(copied.error());
  auto copy = shelf.open((*file)->temporary_name());
  if (!copy) return std::unexpected(copy.error());
  if (auto same = compare(**source, **copy); !same) return std::unexpected(same.error());
  return file;
}

Result<Name> copy_over(const ShelfMove& move, Directory& shelf) {
  auto file = copy_aside(move, shelf);
  if (!file) return std::unexpected(file.error());
  if (auto same = move.check(); !same) return std::unexpected(same.error());
  const std::string temporary = (*file)->temporary_name();
  auto name =
      under_a_free_name(move.name, [&](const Name& to) { return shelf.publish(temporary, to); });
  if (!name) return name;
  (*file)->keep();  // it has its final name now
  if (auto synced = shelf.sync_directory(std::string(parent_of(*name))); !synced) {
    return std::unexpected(synced.error());
  }
  if (auto same = move.check(); !same) {
    // The copy is of an older version, which nobody asked to keep twice.
    if (auto removed = shelf.remove(*name); !removed) return std::unexpected(removed.error());
    return std::unexpected(same.error());
  }
  if (auto removed = move.inbox.remove(move.name); !removed) {
    // Every further try would leave one more copy. Where the source may be gone after all, it
    // stays.
    if (move.check()) static_cast<void>(shelf.remove(*name));
    return std::unexpected(removed.error());
  }
  if (auto synced = move.inbox.sync_directory(std::string(parent_of(move.name))); !synced) {
    return std::unexpected(synced.error());
  }
  return name;
}

}  // namespace

Name numbered(const Name& name, int number) {
  const std::string_view leaf = leaf_of(name);
  const auto dot = leaf.rfind('.');
  const bool has_extension = dot != std::string_view::npos && dot != 0;
  const std::string_view stem = has_extension ? leaf.substr(0, dot) : leaf;
  const std::string extension(has_extension ? leaf.substr(dot) : "");
  return with_suffix(name, stem, " (" + std::to_string(number) + ")" + extension);
}

Result<Name> move_to_shelf(const ShelfMove& move) {
  auto shelf = move.file_system.make_directory(move.shelf);
  if (!shelf) return std::unexpected(shelf.error());
  if (auto made = (*shelf)->make_directories(std::string(parent_of(move.name))); !made) {
    return std::unexpected(made.error());
  }
  const Common common = common_of(move.inbox.path(), (*shelf)->path());
  // Nothing is above two drives of Windows.
  if (common.above.empty()) return copy_over(move, **shelf);
  auto renamed = rename_over(move, common, **shelf);
  if (renamed || !asks_for_a_copy(renamed.error().os_code)) return renamed;
  return copy_over(move, **shelf);
}

Result<Name> write_note(Directory& shelf, const Name& name, const std::string& text,
                        const std::string& owner) {
  const Name wanted = note_name(name);
  auto file = AtomicFile::begin(shelf, wanted, owner, Access::Shared);
  if (!file) return std::unexpected(file.error());
  if (auto wrote = (*file)->write(std::as_bytes(std::span(text))); !wrote) {
    return std::unexpected(wrote.error());
  }
  if (auto finished = (*file)->finish(); !finished) return std::unexpected(finished.error());
  const std::string temporary = (*file)->temporary_name();
  auto placed =
      under_a_free_name(wanted, [&](const Name& to) { return shelf.publish(temporary, to); });
  if (!placed) return placed;
  (*file)->keep();  // it has its final name now
  if (auto synced = shelf.sync_directory(std::string(parent_of(wanted))); !synced) {
    return std::unexpected(synced.error());
  }
  return placed;
}

Result<std::optional<Name>> find_without_note(Directory& shelf, const Name& name,
                                              std::uint64_t size) {
  for (int number = 1; number < kMostNumbers; ++number) {
    Name form = number == 1 ? name : numbered(name, number);
    const auto found = shelf.info(form);
    if (!found && found.error().kind == ErrorKind::Vanished) return std::nullopt;
    if (!found) return std::unexpected(found.error());
    if (found->size == size && !shelf.info(note_name(form))) return form;
  }
  return std::nullopt;
}

Result<void> remove_temporaries(Directory& shelf, const Name& name, const std::string& owner) {
  std::vector<Name> found;
  auto listed = shelf.list(std::string(parent_of(name)), [&](const Directory::Entry& entry) {
    const bool ours =
        entry.type == FileType::Regular && temporary_owner(leaf_of(entry.name)) == owner;
    if (ours) found.push_back(entry.name);
    return Visit::Continue;
  });
  if (!listed && listed.error().kind != ErrorKind::Vanished) return listed;
  if (found.empty()) return {};
  for (const Name& one : found) {
    if (auto removed = shelf.remove(one); !removed) return removed;
  }
  // The caller is about to record that nothing is left to do here.
  return shelf.sync_directory(std::string(parent_of(name)));
}

}  // namespace millrace
