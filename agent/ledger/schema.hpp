// The ledger's file: its schema, its migrations, and what is done about a damaged one.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "agent/ledger/sqlite.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// Leads from schema `to - 1` to schema `to`.
struct Migration {
  int to = 0;
  const char* sql = "";
};

std::span<const Migration> ledger_migrations();

// A version's jobs have the ids `row * kTargetsPerVersion + ordinal`: no index is needed to go
// from the one to the other, and "oldest first" is the order of ids.
inline constexpr std::int64_t kTargetsPerVersion = 256;

// Columns of time hold Unix milliseconds; 0: none.
inline std::optional<WallTime> time_or_none(std::int64_t ms) {
  if (ms == 0) return std::nullopt;
  return from_unix_ms(ms);
}

// Brings the schema to the last migration in one transaction; before that a file that holds
// anything is copied to `<path>.schema-<old>`. Configuration if the file is of a newer schema.
Result<void> migrate(sqlite::Database& database, const std::filesystem::path& path,
                     std::span<const Migration> migrations);

struct OpenedFile {
  sqlite::Database database;
  bool created = false;
  std::string rebuilt_because;  // not empty: the old file was damaged and lies aside
};

// Opens, checks and migrates. A damaged file is renamed to `<path>.damaged-<unix ms>` with its WAL,
// and a new one is made.
Result<OpenedFile> open_ledger_file(const std::filesystem::path& path,
                                    std::chrono::milliseconds busy_timeout, WallTime now);

// The next open_ledger_file() moves this file aside without looking: a damage was met at work, in a
// place that the bounded check at the start may not reach.
void mark_as_damaged(const std::filesystem::path& path);

}  // namespace millrace
