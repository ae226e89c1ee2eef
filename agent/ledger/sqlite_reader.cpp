#include <algorithm>
#include <cmath>
#include <utility>

#include "agent/ledger/schema.hpp"
#include "agent/ledger/sqlite.hpp"
#include "agent/ledger/sqlite_ledger.hpp"
#include "platform/base/native_path.hpp"

namespace millrace {
namespace {

using sqlite::Bytes;
using sqlite::each_row;
using sqlite::Statement;

// The last attempt of a failed job is looked for backwards from the moment at which it failed, past
// as many as were under way then: attempts have no index by job.
constexpr std::string_view kViewColumns =
    "SELECT j.id, j.folder, s.name, s.size, s.version, j.target, j.converter, j.state, j.kind,"
    " j.reason, j.output_name, j.outbox, s.action, j.attempt_number,"
    " (SELECT count(*) FROM attempt a INDEXED BY attempt_extra WHERE a.extra = 1 AND a.job = j.id),"
    " s.seen, j.first_tried, j.finished, j.next_attempt,"
    " CASE WHEN j.state = 'failed' AND j.attempt_number > 0 THEN"
    "  (SELECT a.status FROM attempt a INDEXED BY attempt_begun WHERE a.job = j.id"
    "   AND a.begun BETWEEN j.first_tried AND j.finished ORDER BY a.begun DESC, a.id DESC LIMIT 1)"
    " END"
    " FROM job j JOIN source_version s ON s.id = (j.id >> 8) ";

JobView read_view(const Statement& row) {
  JobView view;
  view.id = row.integer(0);
  view.candidate = {row.text(1), row.text(2), static_cast<std::uint64_t>(row.integer(3)),
                    row.text(4)};
  view.target = row.text(5);
  view.converter = row.text(6);
  view.state = row.text(7);
  view.kind = row.text(8);
  view.reason = row.text(9);
  view.output_name = row.text(10);
  view.outbox = row.text(11);
  view.source_action = row.view(12) == "due" ? std::string() : row.text(12);
  view.attempts = static_cast<int>(row.integer(13));
  view.possible_extra_bills = static_cast<int>(row.integer(14));
  view.seen = time_or_none(row.integer(15));
  view.first_tried = time_or_none(row.integer(16));
  view.finished = time_or_none(row.integer(17));
  view.next_attempt = time_or_none(row.integer(18));
  view.http_status = static_cast<int>(row.integer(19));
  return view;
}

class SqliteReader final : public LedgerReader {
 public:
  SqliteReader(sqlite::Database database, std::chrono::milliseconds time_box)
      : database_(std::move(database)), time_box_(time_box) {}

  Result<Counts> counts_by_folder() override {
    Counts folders;
    auto read = each("SELECT folder, state, count FROM folder_count", [&](const Statement& row) {
      const auto state = job_state_from(row.view(1));
      if (state) folders[row.text(0)].of(*state) += row.integer(2);
    });
    if (!read) return std::unexpected(read.error());
    return folders;
  }

  Result<std::vector<JobView>> failures(std::size_t most) override {
    return views("WHERE j.state = 'failed' ORDER BY j.id DESC LIMIT ?", most);
  }
  Result<std::vector<JobView>> failures_behind(JobId id, std::size_t most) override {
    return views("WHERE j.state = 'failed' AND j.id > ? ORDER BY j.id LIMIT ?", id, most);
  }
  Result<std::vector<JobView>> waiting(std::size_t most) override {
    return views("WHERE j.state = 'waiting' ORDER BY j.id LIMIT ?", most);
  }
  Result<std::vector<JobView>> history(std::string_view folder, const Name& name) override {
    return views(
        "WHERE j.id IN (SELECT k.id FROM source_version v JOIN job k"
        " ON k.id BETWEEN v.id * 256 AND v.id * 256 + 255 WHERE v.folder = ? AND v.name = ?)"
        " ORDER BY j.id",
        folder, Bytes{name});
  }

  Result<Latency> latency(std::string_view converter, WallTime since) override {
    std::vector<std::int64_t> times;
    auto read = each(
        "SELECT ended - begun FROM attempt INDEXED BY attempt_begun"
        " WHERE begun >= ? AND converter = ? AND ended > 0 AND kind = ''",
        [&](const Statement& row) { times.push_back(row.integer(0)); }, to_unix_ms(since),
        converter);
    if (!read) return std::unexpected(read.error());
    std::ranges::sort(times);
    const auto at = [&](double share) {
      if (times.empty()) return 0.0;
      const auto rank = std::ceil(share * static_cast<double>(times.size()));
      return static_cast<double>(
          times[std::max<std::size_t>(static_cast<std::size_t>(rank), 1) - 1]);
    };
    return Latency{at(0.50), at(0.95), at(0.99), static_cast<std::int64_t>(times.size())};
  }

  Result<std::int64_t> attempts_since(std::string_view converter, WallTime since) override {
    return number(
        "SELECT count(*) FROM attempt INDEXED BY attempt_begun"
        " WHERE begun >= ? AND converter = ?",
        to_unix_ms(since), converter);
  }
  Result<std::int64_t> possible_extra_bills() override {
    return number("SELECT count(*) FROM attempt INDEXED BY attempt_extra WHERE extra = 1");
  }
  Result<std::vector<JobView>> jobs_with_possible_extra_bills(std::size_t most) override {
    return views(
        "WHERE j.id IN (SELECT job FROM attempt INDEXED BY attempt_extra WHERE extra = 1)"
        " ORDER BY (SELECT max(a.id) FROM attempt a INDEXED BY attempt_extra"
        " WHERE a.extra = 1 AND a.job = j.id) DESC LIMIT ?",
        most);
  }
  Result<std::optional<std::string>> recall(std::string_view key) override {
    std::optional<std::string> value;
    auto read = each(
        "SELECT value FROM memory WHERE key = ?",
        [&](const Statement& row) { value = row.text(0); }, key);
    if (!read) return std::unexpected(read.error());
    return value;
  }

 private:
  template <typename Take, typename... Values>
  Result<void> each(std::string_view sql, Take take, const Values&... values) {
    database_.stop_at(std::chrono::steady_clock::now() + time_box_);
    auto statement = database_.prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    statement->bind(values...);
    return each_row(*statement, [&](const Statement& row) -> Result<void> {
      take(row);
      return {};
    });
  }
  template <typename... Values>
  Result<std::vector<JobView>> views(std::string_view where, const Values&... values) {
    std::vector<JobView> all;
    auto read = each(
        std::string(kViewColumns).append(where),
        [&](const Statement& row) { all.push_back(read_view(row)); }, values...);
    if (!read) return std::unexpected(read.error());
    return all;
  }
  template <typename... Values>
  Result<std::int64_t> number(std::string_view sql, const Values&... values) {
    std::int64_t count = 0;
    auto read = each(sql, [&](const Statement& row) { count = row.integer(0); }, values...);
    if (!read) return std::unexpected(read.error());
    return count;
  }

  sqlite::Database database_;
  const std::chrono::milliseconds time_box_;
};

}  // namespace

std::int64_t& FolderCounts::of(JobState state) {
  switch (state) {
    case JobState::Waiting:
      return waiting;
    case JobState::Delivered:
      return delivered;
    case JobState::Skipped:
      return skipped;
    case JobState::Failed:
      return failed;
    case JobState::Cancelled:
      return cancelled;
    default:
      return converting;
  }
}

Result<std::unique_ptr<LedgerReader>> open_ledger_reader(const std::filesystem::path& path,
                                                         std::chrono::milliseconds time_box) {
  auto database =
      sqlite::Database::open(path, sqlite::Access::Read, std::chrono::milliseconds{2000});
  if (!database) return std::unexpected(database.error());
  const auto version = database->integer("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  const int newest = ledger_migrations().back().to;
  if (*version != newest) {
    return fail(*version > newest ? ErrorKind::Configuration : ErrorKind::Environment,
                "the ledger " + path_text(path) + " has schema " + std::to_string(*version) +
                    ", this millrace reads " + std::to_string(newest));
  }
  return std::make_unique<SqliteReader>(std::move(*database), time_box);
}

}  // namespace millrace
