#include "agent/download/file_ledger.hpp"

#include <array>
#include <map>
#include <sstream>
#include <utility>

#include "agent/ledger/sqlite.hpp"
#include "platform/base/mutex.hpp"
#include "platform/fs/crash_point.hpp"

namespace millrace {
namespace {

using sqlite::Bytes;
using sqlite::Database;
using sqlite::Statement;

constexpr std::chrono::milliseconds kBusy{5000};
constexpr const char* kFirstVersion = R"sql(
CREATE TABLE file (
  key BLOB PRIMARY KEY, folded BLOB NOT NULL UNIQUE, name BLOB NOT NULL,
  state INTEGER NOT NULL, temporary BLOB NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL,
  mtime INTEGER NOT NULL, etag BLOB NOT NULL, last_modified BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX file_open ON file(temporary) WHERE state IN (1, 2);
PRAGMA user_version=1;
)sql";

constexpr const char* kSecondVersion =
    "ALTER TABLE file ADD COLUMN list BLOB NOT NULL DEFAULT x''; PRAGMA user_version=2;";

// A line a range: FIRST LAST TEMPORARY.
constexpr const char* kThirdVersion =
    "ALTER TABLE file ADD COLUMN ranges BLOB NOT NULL DEFAULT x''; PRAGMA user_version=3;";

// Rows in the order of their lines, so that what is written together lies together: in the order of
// the keys, which are digests, every change of a row was a page of its own in the log.
constexpr const char* kFourthVersion = R"sql(
ALTER TABLE file RENAME TO file_by_key;
DROP INDEX file_open;
CREATE TABLE file (
  id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, folded BLOB NOT NULL UNIQUE,
  name BLOB NOT NULL, state INTEGER NOT NULL, temporary BLOB NOT NULL, size INTEGER NOT NULL,
  sha256 BLOB NOT NULL, mtime INTEGER NOT NULL, etag BLOB NOT NULL, last_modified BLOB NOT NULL,
  list BLOB NOT NULL, ranges BLOB NOT NULL
) STRICT;
INSERT INTO file (key, folded, name, state, temporary, size, sha256, mtime, etag, last_modified,
  list, ranges)
SELECT key, folded, name, state, temporary, size, sha256, mtime, etag, last_modified, list, ranges
FROM file_by_key;
DROP TABLE file_by_key;
CREATE INDEX file_open ON file(state) WHERE state IN (1, 2);
PRAGMA user_version=4;
)sql";

constexpr const char* kFifthVersion =
    "ALTER TABLE file ADD COLUMN made INTEGER NOT NULL DEFAULT 0; PRAGMA user_version=5;";

constexpr std::array kVersions{kFirstVersion, kSecondVersion, kThirdVersion, kFourthVersion,
                               kFifthVersion};

constexpr const char* kFind =
    "SELECT state, name, temporary, size, sha256, mtime, etag, last_modified, list, ranges, made "
    "FROM file WHERE key = ?";
constexpr const char* kOwned = "SELECT 1 FROM file WHERE folded = ?";
constexpr const char* kInsert =
    "INSERT INTO file (state, temporary, size, sha256, mtime, etag, last_modified, list, ranges, "
    "made, key, folded, name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kUpdate =
    "UPDATE file SET state = ?, temporary = ?, size = ?, sha256 = ?, mtime = ?, etag = ?, "
    "last_modified = ?, list = ?, ranges = ?, made = ? WHERE key = ?";

std::string text_of(const std::vector<FileRange>& ranges) {
  std::string text;
  for (const FileRange& range : ranges)
    text += std::to_string(range.first) + " " + std::to_string(range.last) + " " + range.temporary +
            "\n";
  return text;
}

std::vector<FileRange> ranges_of(std::string text) {
  std::vector<FileRange> ranges;
  std::istringstream lines(std::move(text));
  FileRange range;
  while (lines >> range.first >> range.last && lines.get() == ' ' &&
         std::getline(lines, range.temporary))
    ranges.push_back(range);
  return ranges;
}

class SqliteFileLedger final : public FileLedger {
 public:
  explicit SqliteFileLedger(Database database) : database_(std::move(database)) {}

  Result<void> prepare(Durable durable) {
    const MutexLock lock(mutex_);
    const auto version = database_.integer("PRAGMA user_version");
    if (!version) return std::unexpected(version.error());
    if (*version > static_cast<std::int64_t>(kVersions.size()))
      return fail(ErrorKind::Configuration, "the ledger of this batch is of a newer millrace");
    std::string steps;
    for (auto next = static_cast<std::size_t>(*version); next < kVersions.size(); ++next)
      steps += kVersions[next];
    // All or nothing, wherever the process ends.
    if (!steps.empty()) {
      if (auto made = database_.exec("BEGIN IMMEDIATE;" + steps + "COMMIT;"); !made) return made;
    }
    if (durable == Durable::No) {
      if (auto set = database_.exec("PRAGMA synchronous=NORMAL;"); !set) return set;
    }
    const std::pair<Statement*, const char*> statements[] = {
        {&find_, kFind}, {&owned_, kOwned}, {&insert_, kInsert}, {&update_, kUpdate}};
    for (const auto& [statement, sql] : statements) {
      auto prepared = database_.prepare(sql);
      if (!prepared) return std::unexpected(prepared.error());
      *statement = std::move(*prepared);
    }
    return {};
  }

  Result<std::optional<FileRecord>> find(std::string_view key) override {
    const MutexLock lock(mutex_);
    const sqlite::Rows rows(find_.bind(Bytes{key}));
    const auto there = find_.step();
    if (!there) return std::unexpected(there.error());
    if (!*there) return std::nullopt;
    FileRecord record;
    record.key = key;
    record.state = static_cast<FileState>(find_.integer(0));
    record.name = find_.text(1);
    record.temporary = find_.text(2);
    record.size = static_cast<std::uint64_t>(find_.integer(3));
    record.sha256 = find_.text(4);
    record.mtime_ns = find_.integer(5);
    record.etag = find_.text(6);
    record.last_modified = find_.text(7);
    record.list = find_.text(8);
    record.ranges = ranges_of(find_.text(9));
    record.made_ns = find_.integer(10);
    return record;
  }

  Result<bool> reserve(const FileRecord& record, std::string_view folded) override {
    const MutexLock lock(mutex_);
    if (const auto owner = reserved_.find(folded); owner != reserved_.end())
      return owner->second == record.key;
    // The transaction of the records to come: a look outside of one is locked by itself.
    if (auto begun = begin(); !begun) return std::unexpected(begun.error());
    const sqlite::Rows rows(owned_.bind(Bytes{folded}));
    const auto owned = owned_.step();
    if (!owned) return std::unexpected(owned.error());
    if (*owned) return false;
    reserved_.emplace(folded, record.key);
    unwritten_.emplace(record.key, folded);
    return true;
  }

  void release(std::string_view key) override {
    const MutexLock lock(mutex_);
    forget_reservation(key);
  }

  Result<void> put(const FileRecord& record) override {
    const MutexLock lock(mutex_);
    if (auto begun = begin(); !begun) return begun;
    const std::string ranges = text_of(record.ranges);
    if (const auto first = unwritten_.find(record.key); first != unwritten_.end()) {
      auto done =
          bind_values(insert_, record, ranges, Bytes{first->second}, Bytes{record.name}).run();
      if (done) forget_reservation(record.key);
      return done;
    }
    auto done = bind_values(update_, record, ranges).run();
    // A commit that fails takes the first record along, name and all; the next run makes it anew.
    if (done && database_.changes() == 0)
      return fail(ErrorKind::Input, "the record of this file could not be kept; run again");
    return done;
  }

  Result<void> commit() override {
    const MutexLock lock(mutex_);
    if (!database_.in_transaction()) return {};
    crash_point();
    return database_.exec("COMMIT");
  }

  Result<std::vector<std::string>> temporaries() override {
    const MutexLock lock(mutex_);
    auto select = database_.prepare("SELECT temporary, ranges FROM file WHERE state IN (1, 2)");
    if (!select) return std::unexpected(select.error());
    std::vector<std::string> found;
    auto read = sqlite::each_row(*select, [&](const Statement& row) -> Result<void> {
      found.push_back(row.text(0));
      for (FileRange& range : ranges_of(row.text(1))) found.push_back(std::move(range.temporary));
      return {};
    });
    if (!read) return std::unexpected(read.error());
    return found;
  }

 private:
  Result<void> begin() REQUIRES(mutex_) {
    if (database_.in_transaction()) return {};
    return database_.exec("BEGIN IMMEDIATE");
  }

  // The key last; `more` follows it. Nothing is copied.
  template <typename... More>
  static Statement& bind_values(Statement& statement, const FileRecord& record,
                                const std::string& ranges, More... more) {
    return statement.bind(static_cast<std::int64_t>(record.state), Bytes{record.temporary},
                          record.size, Bytes{record.sha256}, record.mtime_ns, Bytes{record.etag},
                          Bytes{record.last_modified}, Bytes{record.list}, Bytes{ranges},
                          record.made_ns, Bytes{record.key}, more...);
  }

  void forget_reservation(std::string_view key) REQUIRES(mutex_) {
    const auto found = unwritten_.find(key);
    if (found == unwritten_.end()) return;
    reserved_.erase(found->second);
    unwritten_.erase(found);
  }

  Mutex mutex_;
  Database database_ GUARDED_BY(mutex_);
  Statement find_ GUARDED_BY(mutex_), owned_ GUARDED_BY(mutex_), insert_ GUARDED_BY(mutex_),
      update_ GUARDED_BY(mutex_);
  // Of lines under way: who has the folded name, and which the key has. No more than lines that are
  // read and did not end.
  std::map<std::string, std::string, std::less<>> reserved_ GUARDED_BY(mutex_);
  std::map<std::string, std::string, std::less<>> unwritten_ GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<FileLedger>> FileLedger::open(const std::filesystem::path& file,
                                                     Durable durable) {
  auto database = Database::open(file, sqlite::Access::Write, kBusy);
  if (!database) return std::unexpected(database.error());
  auto ledger = std::make_unique<SqliteFileLedger>(std::move(*database));
  if (auto prepared = ledger->prepare(durable); !prepared) return std::unexpected(prepared.error());
  return ledger;
}

}  // namespace millrace
