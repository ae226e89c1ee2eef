#include "agent/ledger/schema.hpp"

#include <fstream>
#include <system_error>

#include "agent/ledger/statements.hpp"
#include "platform/base/native_path.hpp"
#include "platform/fs/crash_point.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

// Times are milliseconds since 1970, 0 for none. Names, versions and digests are bytes. `replaced`:
// another version of the name was admitted, or this one was gone, since. `folder_count` is kept in
// step with `job` by the same transactions, so that nobody counts a million rows.
constexpr const char* kSchema1 = R"sql(
CREATE TABLE source_version (
  id INTEGER PRIMARY KEY, folder TEXT NOT NULL, name BLOB NOT NULL, version BLOB NOT NULL,
  size INTEGER NOT NULL, seen INTEGER NOT NULL,
  action TEXT NOT NULL DEFAULT '', acted INTEGER NOT NULL DEFAULT 0,
  replaced INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX source_version_name ON source_version(folder, name, version);
CREATE INDEX source_version_due ON source_version(id) WHERE action = 'due';

CREATE TABLE job (
  id INTEGER PRIMARY KEY, folder TEXT NOT NULL, target TEXT NOT NULL, converter TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting', kind TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0,
  deferred INTEGER NOT NULL DEFAULT 0, next_attempt INTEGER NOT NULL DEFAULT 0,
  attempt_number INTEGER NOT NULL DEFAULT 0, crashes INTEGER NOT NULL DEFAULT 0,
  first_tried INTEGER NOT NULL DEFAULT 0, begun INTEGER NOT NULL DEFAULT 0,
  synced INTEGER NOT NULL DEFAULT 0, finished INTEGER NOT NULL DEFAULT 0,
  open_key TEXT NOT NULL DEFAULT '', open_since INTEGER NOT NULL DEFAULT 0,
  content_sha256 BLOB NOT NULL DEFAULT x'', bad_sha256 BLOB NOT NULL DEFAULT x'',
  outbox TEXT NOT NULL DEFAULT '', output_name BLOB NOT NULL DEFAULT x'',
  output_folded BLOB NOT NULL DEFAULT x'', temporary_name BLOB NOT NULL DEFAULT x'',
  output_sha256 BLOB NOT NULL DEFAULT x'', output_size INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX job_waiting ON job(folder, deferred, next_attempt, id) WHERE state = 'waiting';
CREATE INDEX job_due ON job(next_attempt) WHERE state = 'waiting' AND next_attempt > 0;
CREATE INDEX job_failed ON job(id) WHERE state = 'failed';
CREATE INDEX job_running ON job(id) WHERE state IN ('converting', 'delivering');

CREATE TABLE attempt (
  id INTEGER PRIMARY KEY, job INTEGER NOT NULL, number INTEGER NOT NULL, converter TEXT NOT NULL,
  key TEXT NOT NULL, bytes INTEGER NOT NULL, begun INTEGER NOT NULL, extra INTEGER NOT NULL,
  ended INTEGER NOT NULL DEFAULT 0, kind TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '', status INTEGER NOT NULL DEFAULT 0,
  billing INTEGER NOT NULL DEFAULT 2, sent INTEGER NOT NULL DEFAULT 0,
  received INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX attempt_begun ON attempt(begun);
CREATE INDEX attempt_extra ON attempt(id) WHERE extra = 1;

CREATE TABLE output (
  outbox TEXT NOT NULL, folded BLOB NOT NULL, name BLOB NOT NULL,
  folder TEXT NOT NULL, source BLOB NOT NULL, target TEXT NOT NULL, job INTEGER NOT NULL,
  published INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0,
  version BLOB NOT NULL DEFAULT x'', sha256 BLOB NOT NULL DEFAULT x'',
  source_version BLOB NOT NULL DEFAULT x'', content_sha256 BLOB NOT NULL DEFAULT x'',
  PRIMARY KEY (outbox, folded)
) STRICT, WITHOUT ROWID;

CREATE TABLE folder_count (
  folder TEXT NOT NULL, state TEXT NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (folder, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE memory (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE run (
  id INTEGER PRIMARY KEY, command TEXT NOT NULL, begun INTEGER NOT NULL,
  ended INTEGER NOT NULL DEFAULT 0, outcome TEXT NOT NULL DEFAULT ''
) STRICT;
)sql";

// Jobs whose finished temporary waits for the next try.
constexpr const char* kSchema2 =
    "CREATE INDEX job_kept ON job(id) WHERE state = 'waiting' AND temporary_name <> x'';";

constexpr std::array kMigrations{Migration{1, kSchema1}, Migration{2, kSchema2}};

constexpr int kApplicationId = 0x4d6c7263;  // "Mlrc", in the file's header
constexpr std::chrono::milliseconds kCheckBudget{700};
// SQLite checks a whole table in one step that no budget interrupts; a file of more pages than
// this (256 MiB) is checked at its ends only, and a damage met later is marked for the next start.
constexpr std::int64_t kPagesOfWholeCheck = 65536;

fs::path with_suffix(const fs::path& path, std::string_view suffix) {
  fs::path whole = path;
  whole += suffix;
  return whole;
}

Result<void> apply(sqlite::Database& database, int from, std::span<const Migration> migrations) {
  for (const Migration& step : migrations) {
    if (step.to <= from) continue;
    if (auto ok = database.exec(step.sql); !ok) return ok;
  }
  // The version stands twice, so that a flipped bit in the header is not taken for a newer schema.
  const std::string version = std::to_string(migrations.back().to);
  return database.exec("INSERT OR REPLACE INTO memory VALUES('ledger.schema', CAST('" + version +
                       "' AS BLOB)); PRAGMA user_version=" + version +
                       "; PRAGMA application_id=" + std::to_string(kApplicationId) + ";");
}

// Why the file cannot be trusted, or empty.
Result<std::string> what_is_wrong(sqlite::Database& database) {
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return std::unexpected(tables.error());
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*tables == 0 && *version == 0) return std::string();
  const auto application = database.integer("PRAGMA application_id");
  if (!application) return std::unexpected(application.error());
  if (*application != kApplicationId) return std::string("it is not a ledger");
  const auto noted = database.integer(
      "SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM memory"
      " WHERE key = 'ledger.schema'");
  if (!noted) return std::unexpected(noted.error());
  if (*noted != *version) return std::string("its schema number is damaged");
  const auto pages = database.integer("PRAGMA page_count");
  if (!pages) return std::unexpected(pages.error());
  if (*pages <= kPagesOfWholeCheck) return database.quick_check(kCheckBudget);
  // The newest rows lie where a cut file ends.
  const auto newest = database.integer(
      "SELECT (SELECT count(*) FROM folder_count) + (SELECT max(id) FROM run)"
      " + length((SELECT state FROM job ORDER BY id DESC LIMIT 1))"
      " + length((SELECT key FROM attempt ORDER BY id DESC LIMIT 1))"
      " + length((SELECT version FROM source_version ORDER BY id DESC LIMIT 1))");
  if (!newest) return std::unexpected(newest.error());
  return std::string();
}

struct Damage {
  std::string why;
};

// Either a sound database, or a Damage in `damage`, or an error that time or a person can mend.
Result<sqlite::Database> try_open(const fs::path& path, std::chrono::milliseconds busy_timeout,
                                  Damage& damage) {
  auto database = sqlite::Database::open(path, sqlite::Access::Write, busy_timeout);
  if (!database) {
    // The connection is gone; its error text is all that tells a damage apart.
    if (database.error().kind == ErrorKind::Defect ||
        database.error().message.find("not a database") != std::string::npos ||
        database.error().message.find("malformed") != std::string::npos) {
      damage.why = database.error().message;
    }
    return database;
  }
  auto wrong = what_is_wrong(*database);
  if (wrong && !wrong->empty()) {
    damage.why = *wrong;
    return fail(ErrorKind::Environment, "ledger: " + *wrong);
  }
  Result<void> ready =
      wrong ? migrate(*database, path, kMigrations) : std::unexpected(wrong.error());
  if (ready) {
    // A schema whose text was changed shows when the statements do not fit it.
    auto statements = Statements::prepare(*database);
    if (!statements) ready = std::unexpected(statements.error());
  }
  if (ready) return database;
  if (database->damaged() || ready.error().kind == ErrorKind::Defect) {
    damage.why = ready.error().message;
  }
  return std::unexpected(ready.error());
}

Result<void> move_aside(const fs::path& path, WallTime now) {
  std::string suffix = ".damaged-" + std::to_string(to_unix_ms(now));
  while (fs::exists(with_suffix(path, suffix))) suffix += "x";
  for (const std::string_view part : {"", "-wal", "-shm", "-journal"}) {
    const fs::path from = with_suffix(path, part);
    std::error_code error;
    if (!fs::exists(from, error)) continue;
    crash_point();
    fs::rename(from, with_suffix(with_suffix(path, suffix), part), error);
    crash_point();
    if (error) {
      return fail(ErrorKind::Environment,
                  "cannot move the damaged ledger aside: " + error.message(), error.value());
    }
  }
  std::error_code ignored;
  fs::remove(with_suffix(path, ".suspect"), ignored);
  return {};
}

}  // namespace

std::span<const Migration> ledger_migrations() { return kMigrations; }

Result<void> migrate(sqlite::Database& database, const fs::path& path,
                     std::span<const Migration> migrations) {
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  const int newest = migrations.back().to;
  if (*version == newest) return {};
  if (*version > newest) {
    return fail(ErrorKind::Configuration,
                "the ledger " + path_text(path) + " has schema " + std::to_string(*version) +
                    ", this millrace knows up to " + std::to_string(newest) +
                    ": run the newer version, or move the file away to start without history");
  }
  if (*version > 0) {
    const fs::path copy = with_suffix(path, ".schema-" + std::to_string(*version));
    std::error_code ignored;
    fs::remove(copy, ignored);
    crash_point();
    if (auto copied = database.copy_to(copy); !copied) {
      return with_context(copied.error(), "copy before the schema changes");
    }
  }
  if (auto begun = database.exec("BEGIN IMMEDIATE"); !begun) return begun;
  auto applied = apply(database, static_cast<int>(*version), migrations);
  if (applied) {
    crash_point();
    applied = database.exec("COMMIT");
    crash_point();
  }
  if (!applied && database.in_transaction()) {
    Error why = applied.error();
    if (auto undone = database.exec("ROLLBACK"); !undone) why.message += "; no rollback either";
    return std::unexpected(std::move(why));
  }
  return applied;
}

Result<OpenedFile> open_ledger_file(const fs::path& path, std::chrono::milliseconds busy_timeout,
                                    WallTime now) {
  std::error_code ignored;
  const bool existed = fs::exists(path, ignored) && fs::file_size(path, ignored) > 0;
  Damage damage;
  if (fs::exists(with_suffix(path, ".suspect"), ignored)) {
    damage.why = "a damage was met in the last run";
  } else {
    auto opened = try_open(path, busy_timeout, damage);
    if (opened) return OpenedFile{std::move(*opened), !existed, {}};
    if (damage.why.empty()) return std::unexpected(opened.error());
  }
  if (auto moved = move_aside(path, now); !moved) return std::unexpected(moved.error());
  Damage again;
  auto fresh = try_open(path, busy_timeout, again);
  if (!fresh) return std::unexpected(fresh.error());
  return OpenedFile{std::move(*fresh), true, damage.why};
}

void mark_as_damaged(const fs::path& path) { std::ofstream(with_suffix(path, ".suspect")).flush(); }

}  // namespace millrace
