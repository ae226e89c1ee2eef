// SQLite in RAII: a connection and its prepared statements. One thread at a time.
// https://www.sqlite.org/c3ref/intro.html
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "platform/base/result.hpp"

struct sqlite3_stmt;

namespace millrace::sqlite {

struct Connection;  // sqlite.cpp

// Any bytes, bound as a BLOB; a std::string_view is bound as TEXT.
struct Bytes {
  std::string_view value;
};

// Lives no longer than its Database. Bound texts are not copied: they must live until the
// statement was reset or stepped to its end.
class Statement {
 public:
  Statement() = default;
  Statement(Connection* connection, sqlite3_stmt* statement);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  template <typename... Values>
  Statement& bind(const Values&... values) {
    reset();
    int index = 0;
    (put(++index, values), ...);
    return *this;
  }
  // True: a row is there. False: the end; the statement is reset.
  Result<bool> step();
  // Steps to the end.
  Result<void> run();
  void reset();

  std::int64_t integer(int column) const;
  std::string_view view(int column) const;  // TEXT or BLOB, until the next step
  std::string text(int column) const { return std::string(view(column)); }

 private:
  void put(int index, std::int64_t value);
  void put(int index, std::string_view text);
  void put(int index, Bytes bytes);
  template <std::integral Integer>
  void put(int index, Integer value) {
    put(index, static_cast<std::int64_t>(value));
  }

  Connection* connection_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

// Resets a SELECT when its reader leaves early, so that no read transaction stays open.
class Rows {
 public:
  explicit Rows(Statement& statement) : statement_(statement) {}
  ~Rows() { statement_.reset(); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  Result<bool> next() { return statement_.step(); }
  const Statement* operator->() const { return &statement_; }

 private:
  Statement& statement_;
};

// Runs `body(row)` for each row of a bound SELECT, until one of them fails.
template <typename Body>
Result<void> each_row(Statement& select, Body body) {
  const Rows rows(select);
  while (true) {
    const auto more = select.step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return {};
    if (auto ok = body(std::as_const(select)); !ok) return ok;
  }
}

enum class Access { Write, Read };

class Database {
 public:
  // Write: made if it is not there; WAL, synchronous=FULL, no mmap. Read: never writes and never
  // checkpoints. Both distrust the schema. Environment if it cannot be opened.
  static Result<Database> open(const std::filesystem::path& path, Access access,
                               std::chrono::milliseconds busy_timeout);
  ~Database();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;

  Result<void> exec(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  Result<std::int64_t> integer(std::string_view sql);  // first column of the first row
  std::int64_t last_id() const;
  std::int64_t changes() const;
  bool in_transaction() const;

  // A call has met a file that is not a sound database.
  bool damaged() const;
  // A call has failed since the last time this was asked.
  bool take_failure();
  // Another file lies at the path of the database by now, or none.
  bool moved();
  // PRAGMA quick_check, given up (and believed) after `budget`. What is wrong, or empty.
  Result<std::string> quick_check(std::chrono::milliseconds budget);
  // Every further statement fails once `deadline` has passed.
  void stop_at(std::chrono::steady_clock::time_point deadline);
  // A copy of the whole database, by SQLite's own backup.
  Result<void> copy_to(const std::filesystem::path& path);
  // Moves the WAL into the database and cuts it to nothing.
  void checkpoint();

 private:
  explicit Database(std::unique_ptr<Connection> connection);
  Result<void> configure(Access access);
  std::unique_ptr<Connection> connection_;
};

}  // namespace millrace::sqlite
