#include "agent/ledger/sqlite.hpp"

#include <sqlite3.h>

#include <array>
#include <utility>

#include "platform/base/native_path.hpp"

namespace millrace::sqlite {

struct Connection {
  sqlite3* handle = nullptr;
  bool damaged = false;
  bool failed = false;
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();

  ~Connection() { sqlite3_close(handle); }

  Error error(int code) {
    failed = true;
    const int primary = code & 0xff;
    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || code == SQLITE_IOERR_SHORT_READ) {
      damaged = true;
    }
    return Error{kind_of(primary),
                 "ledger: " + std::string(sqlite3_errmsg(handle)),
                 sqlite3_system_errno(handle),
                 {}};
  }

  static ErrorKind kind_of(int primary) {
    // These say that our own SQL or its use is wrong; all others come from outside.
    constexpr std::array kOurFault{SQLITE_ERROR, SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_MISUSE,
                                   SQLITE_RANGE};
    for (const int code : kOurFault) {
      if (primary == code) return ErrorKind::Defect;
    }
    return ErrorKind::Environment;
  }

  static int out_of_time(void* self) {
    return std::chrono::steady_clock::now() > static_cast<Connection*>(self)->deadline ? 1 : 0;
  }
};

Statement::Statement(Connection* connection, sqlite3_stmt* statement)
    : connection_(connection), statement_(statement) {}
Statement::~Statement() { sqlite3_finalize(statement_); }
Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_), statement_(std::exchange(other.statement_, nullptr)) {}
Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(connection_, other.connection_);
  std::swap(statement_, other.statement_);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  Error error = connection_->error(sqlite3_extended_errcode(connection_->handle));
  sqlite3_reset(statement_);
  return std::unexpected(std::move(error));
}

Result<void> Statement::run() {
  while (true) {
    auto row = step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
  }
}

void Statement::reset() { sqlite3_reset(statement_); }

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::view(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

void Statement::put(int index, std::int64_t value) { sqlite3_bind_int64(statement_, index, value); }

// A null pointer would bind NULL, so an empty view is given an address.
void Statement::put(int index, std::string_view text) {
  sqlite3_bind_text64(statement_, index, text.data() == nullptr ? "" : text.data(), text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::put(int index, Bytes bytes) {
  const auto [value] = bytes;
  sqlite3_bind_blob64(statement_, index, value.data() == nullptr ? "" : value.data(), value.size(),
                      SQLITE_STATIC);
}

Database::Database(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Database::~Database() = default;
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;

Result<Database> Database::open(const std::filesystem::path& path, Access access,
                                std::chrono::milliseconds busy_timeout) {
  // Counting every allocation takes a lock each, and nobody asks for the counts.
  static const int counted_not = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(counted_not);
  auto connection = std::make_unique<Connection>();
  const std::string text = path_text(path);
  // One thread at a time uses a connection, so SQLite's own mutex is left out.
  const int flags =
      SQLITE_OPEN_NOMUTEX |
      (access == Access::Write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  const int code = sqlite3_open_v2(text.c_str(), &connection->handle, flags, nullptr);
  if (code != SQLITE_OK) return std::unexpected(connection->error(code));
  sqlite3_extended_result_codes(connection->handle, 1);
  sqlite3_busy_timeout(connection->handle, static_cast<int>(busy_timeout.count()));
  Database database(std::move(connection));
  if (auto set = database.configure(access); !set) return std::unexpected(set.error());
  return database;
}

Result<void> Database::configure(Access access) {
  sqlite3* handle = connection_->handle;
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  if (access == Access::Read) {
    // A reader that closes last would otherwise checkpoint.
    sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    return exec("PRAGMA mmap_size=0; PRAGMA query_only=1;");
  }
  // 4000 pages of 4 KiB: hot pages are copied home once for many commits, and the WAL stays small.
  return exec(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA fullfsync=1;"
      "PRAGMA mmap_size=0; PRAGMA cell_size_check=1; PRAGMA temp_store=MEMORY;"
      "PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=33554432;"
      "PRAGMA cache_size=-16000; PRAGMA secure_delete=0;");
}

Result<void> Database::exec(const std::string& sql) {
  if (sqlite3_exec(connection_->handle, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return std::unexpected(connection_->error(sqlite3_extended_errcode(connection_->handle)));
  }
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_->handle, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return std::unexpected(connection_->error(code));
  return Statement(connection_.get(), statement);
}

Result<std::int64_t> Database::integer(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  auto row = statement->step();
  if (!row) return std::unexpected(row.error());
  return *row ? statement->integer(0) : 0;
}

std::int64_t Database::last_id() const { return sqlite3_last_insert_rowid(connection_->handle); }
std::int64_t Database::changes() const { return sqlite3_changes64(connection_->handle); }
bool Database::in_transaction() const { return sqlite3_get_autocommit(connection_->handle) == 0; }
bool Database::damaged() const { return connection_->damaged; }
bool Database::take_failure() { return std::exchange(connection_->failed, false); }

bool Database::moved() {
  int has_moved = 0;
  sqlite3_file_control(connection_->handle, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
  return has_moved != 0;
}

Result<std::string> Database::quick_check(std::chrono::milliseconds budget) {
  stop_at(std::chrono::steady_clock::now() + budget);
  auto check = prepare("PRAGMA quick_check(1)");
  Result<bool> row = check ? check->step() : std::unexpected(check.error());
  const bool out_of_time = sqlite3_errcode(connection_->handle) == SQLITE_INTERRUPT;
  stop_at(std::chrono::steady_clock::time_point::max());
  if (row && *row) {
    std::string said = check->text(0);
    return said == "ok" ? std::string() : said;
  }
  if (out_of_time) {
    connection_->failed = false;
    return std::string();
  }
  if (!row) return std::unexpected(row.error());
  return std::string("no answer");
}

void Database::stop_at(std::chrono::steady_clock::time_point deadline) {
  constexpr int kInstructionsBetweenLooks = 1000;
  connection_->deadline = deadline;
  const bool forever = deadline == std::chrono::steady_clock::time_point::max();
  sqlite3_progress_handler(connection_->handle, kInstructionsBetweenLooks,
                           forever ? nullptr : Connection::out_of_time, connection_.get());
}

Result<void> Database::copy_to(const std::filesystem::path& path) {
  Connection target;
  const std::string text = path_text(path);
  int code = sqlite3_open(text.c_str(), &target.handle);
  if (code != SQLITE_OK) return std::unexpected(target.error(code));
  sqlite3_backup* backup = sqlite3_backup_init(target.handle, "main", connection_->handle, "main");
  if (backup == nullptr) return std::unexpected(target.error(sqlite3_errcode(target.handle)));
  sqlite3_backup_step(backup, -1);
  code = sqlite3_backup_finish(backup);
  if (code != SQLITE_OK) return std::unexpected(target.error(code));
  return {};
}

void Database::checkpoint() {
  sqlite3_wal_checkpoint_v2(connection_->handle, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr,
                            nullptr);
}

}  // namespace millrace::sqlite
