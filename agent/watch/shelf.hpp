// Moves a file out of its inbox into an archive or quarantine folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "agent/job/candidate.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

// "a.png" -> "a (2).png"; the stem is cut where the part would be longer than 255 bytes.
Name numbered(const Name& name, int number);

struct ShelfMove {
  FileSystem& file_system;
  Directory& inbox;
  std::filesystem::path shelf;  // made if need be
  Name name;                    // the same on the shelf, numbered if it is taken
  // Success if the inbox still holds exactly the version that is meant.
  std::function<Result<void>()> check;
  std::string owner = "shelf";  // of temporaries
};

// Durable when it returns. Renames; where that is impossible copies, syncs, compares, checks again
// and only then deletes. Returns the name on the shelf. Blocks.
Result<Name> move_to_shelf(const ShelfMove& move);

// Publishes `text` as `name`.error.json on the shelf. Returns its name.
Result<Name> write_note(Directory& shelf, const Name& name, const std::string& text,
                        const std::string& owner = "shelf");

// The first form of `name` (itself, then numbered) on the shelf that has this size and no note.
Result<std::optional<Name>> find_without_note(Directory& shelf, const Name& name,
                                              std::uint64_t size);

// Removes the temporaries of `owner` in the directory of `name`.
Result<void> remove_temporaries(Directory& shelf, const Name& name, const std::string& owner);

}  // namespace millrace
