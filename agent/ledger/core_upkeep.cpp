// Transactions, start and end, memories.
#include <algorithm>

#include "agent/ledger/ledger_core.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

// Folder, outbox and name of each place, each followed by a NUL, which no path can hold.
constexpr std::string_view kLeftovers = "ledger.leftovers";

}  // namespace

using sqlite::Bytes;
using sqlite::each_row;
using sqlite::Rows;
using sqlite::Statement;

Result<std::unique_ptr<LedgerCore>> LedgerCore::make(OpenedFile file, WallTime now) {
  auto statements = Statements::prepare(file.database);
  if (!statements) return std::unexpected(statements.error());
  std::unique_ptr<LedgerCore> core(
      new LedgerCore(std::move(file.database), std::move(*statements)));
  auto recovered = core->recover(now);
  if (recovered) recovered = core->commit();
  if (!recovered) {
    core->rollback();
    return std::unexpected(recovered.error());
  }
  return core;
}

Result<void> LedgerCore::begin() {
  if (database_.in_transaction()) return {};
  if (auto begun = sql_[Sql::Begin].bind().run(); !begun) return begun;
  return counts_.loaded() ? Result<void>() : load_counts();
}

Result<void> LedgerCore::commit() {
  if (database_.in_transaction()) {
    if (auto written = write_counts(); !written) return written;
    if (auto done = sql_[Sql::Commit].bind().run(); !done) return done;
  }
  undo_.clear();
  ++transaction_;
  return {};
}

void LedgerCore::rollback() {
  // SQLite may have rolled back by itself, and a failed rollback leaves nothing to undo either.
  if (database_.in_transaction()) (void)database_.exec("ROLLBACK");
  for (auto before = undo_.rbegin(); before != undo_.rend(); ++before) {
    if (!before->claim) {
      claims_.erase(before->job);
      continue;
    }
    Claim& claim = claims_[before->job];
    const bool lost = claim.lost || before->answered_early;
    claim = std::move(*before->claim);
    claim.lost = claim.lost || lost;
  }
  undo_.clear();
  ++transaction_;
  claimed_up_to_.clear();
  counts_.loaded(false);
}

Result<void> LedgerCore::recover(WallTime now) {
  struct Left {
    JobId id;
    JobState was;
    int crashes;
    OutputPlace place;
  };
  std::vector<Left> left;
  Statement& list = sql_[Sql::ReadLeft];
  list.bind();
  const auto listed = each_row(list, [&](const Statement& row) -> Result<void> {
    const auto state = job_state_from(row.view(1));
    if (!state) return std::unexpected(state.error());
    left.push_back({row.integer(0),
                    *state,
                    static_cast<int>(row.integer(2)),
                    {row.text(3), row.text(4), row.text(5)}});
    return {};
  });
  if (!listed) return listed;
  const auto running = std::ranges::count(left, JobState::Converting, &Left::was);
  const int share = std::max(1, kWholeCrash / std::max(1, static_cast<int>(running)));
  // Written even if nothing is left: the WAL exists from here on, and a full disk or a read-only
  // one shows at the start.
  if (auto begun = begin(); !begun) return begun;
  if (auto ok = remember("ledger.opened", std::to_string(to_unix_ms(now))); !ok) return ok;
  for (Left& job : left) {
    if (auto ok = note_leftover(job.place); !ok) return ok;
    // A delivery that was cut off, or kept for later, is already paid for: whether its file is
    // there decides, and no crash is blamed on it.
    const bool paid = job.was != JobState::Converting;
    if (!paid) job.crashes += share;
    const bool died = !paid && job.crashes >= kCrashesUntilFailed;
    const JobState state = paid   ? JobState::Delivering
                           : died ? JobState::Failed
                                  : JobState::Waiting;
    Statement& update = sql_[Sql::SetCrashed];
    update.bind(to_string(state), died ? to_string(ErrorKind::Defect) : std::string_view(),
                died ? kDiedOfIt : std::string_view(), job.crashes, died ? to_unix_ms(now) : 0,
                job.id);
    if (auto ok = update.run(); !ok) return ok;
    counts_.move(job.place.folder, job.was, state);
    if (!died) continue;
    const auto summary = summary_of(job.id / kTargetsPerVersion);
    if (!summary) return std::unexpected(summary.error());
    if (!summary->all_final()) continue;
    if (auto ok = set_action_if_none(summary->row, "due", 0); !ok) return ok;
  }
  return {};
}

Result<std::vector<DeliveryInProgress>> LedgerCore::interrupted_deliveries() {
  std::vector<DeliveryInProgress> found;
  Statement& list = sql_[Sql::JobsDelivering];
  list.bind();
  const auto done = each_row(list, [&](const Statement& row) -> Result<void> {
    if (claims_.contains(row.integer(0))) return {};
    Claim claim = read_claim(row);
    if (claim.state != JobState::Delivering) return {};
    DeliveryInProgress delivery;
    delivery.job = claim.job;
    delivery.outbox = claim.outbox;
    delivery.final_name = claim.job.output_name;
    delivery.temporary_name = row.text(21);
    delivery.sha256 = digest_to_hex(row.view(22));
    delivery.size = static_cast<std::uint64_t>(row.integer(23));
    // Where a newer version has come, what lies there may be of that one.
    if (!claim.replaced) {
      auto replaces = output_at(claim.outbox, claim.folded);
      if (!replaces) return std::unexpected(replaces.error());
      delivery.replaces = std::move(*replaces);
    }
    note_before_change(claim.job.id);
    claims_[claim.job.id] = std::move(claim);
    found.push_back(std::move(delivery));
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return found;
}

Result<std::vector<SourceSummary>> LedgerCore::pending_source_actions() {
  std::vector<SourceSummary> found;
  Statement& list = sql_[Sql::DueActions];
  list.bind();
  const auto done = each_row(list, [&](const Statement& row) -> Result<void> {
    auto summary = summary_of(row.integer(0));
    if (!summary) return std::unexpected(summary.error());
    found.push_back(std::move(*summary));
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return found;
}

Result<std::vector<OutputPlace>> LedgerCore::leftover_places() {
  std::vector<OutputPlace> places;
  const auto text = recall(kLeftovers);
  if (!text) return std::unexpected(text.error());
  if (!*text) return places;
  std::string_view rest = **text;
  const auto next_field = [&] {
    const std::string_view field = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), field.size() + 1));
    return std::string(field);
  };
  while (!rest.empty()) {
    OutputPlace& place = places.emplace_back();
    for (std::string* field : {&place.folder, &place.outbox, &place.name}) *field = next_field();
  }
  return places;
}

Result<void> LedgerCore::note_leftover(const OutputPlace& left) {
  if (left.outbox.empty() || left.name.empty()) return {};
  auto places = leftover_places();
  if (!places) return std::unexpected(places.error());
  const bool noted = std::ranges::any_of(*places, [&](const OutputPlace& place) {
    return place.folder == left.folder && place.outbox == left.outbox &&
           parent_of(place.name) == parent_of(left.name);
  });
  if (noted) return {};
  places->push_back(left);
  return write_leftover_places(*places);
}

Result<void> LedgerCore::leftovers_removed(std::string_view folder, std::string_view outbox) {
  auto places = leftover_places();
  if (!places) return std::unexpected(places.error());
  const auto gone = std::erase_if(*places, [&](const OutputPlace& place) {
    return place.folder == folder && place.outbox == outbox;
  });
  return gone == 0 ? Result<void>() : write_leftover_places(*places);
}

Result<void> LedgerCore::write_leftover_places(const std::vector<OutputPlace>& places) {
  std::string text;
  for (const OutputPlace& place : places) {
    for (const std::string& field : {place.folder, place.outbox, place.name}) {
      text.append(field).append(1, '\0');
    }
  }
  return remember(kLeftovers, text);
}

Result<void> LedgerCore::begin_run(std::string_view command, WallTime now) {
  if (auto begun = begin(); !begun) return begun;
  Statement& insert = sql_[Sql::BeginRun];
  insert.bind(command, to_unix_ms(now));
  if (auto ok = insert.run(); !ok) return ok;
  run_ = database_.last_id();
  return {};
}

Result<void> LedgerCore::end_run(std::string_view outcome, WallTime now) {
  if (auto begun = begin(); !begun) return begun;
  Statement& update = sql_[Sql::EndRun];
  update.bind(outcome, to_unix_ms(now), run_);
  return update.run();
}

Result<void> LedgerCore::remember(std::string_view key, std::string_view value) {
  if (auto begun = begin(); !begun) return begun;
  Statement& insert = sql_[Sql::Remember];
  insert.bind(key, Bytes{value});
  return insert.run();
}

Result<std::optional<std::string>> LedgerCore::recall(std::string_view key) {
  Statement& find = sql_[Sql::Recall];
  find.bind(key);
  Rows found(find);
  const auto row = found.next();
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  return found->text(0);
}

Result<int> LedgerCore::retry(JobId job) {
  if (auto begun = begin(); !begun) return std::unexpected(begun.error());
  std::vector<JobId> jobs;
  if (job != 0) {
    jobs.push_back(job);
  } else {
    Statement& list = sql_[Sql::FailedJobs];
    list.bind();
    const auto listed = each_row(list, [&](const Statement& row) -> Result<void> {
      jobs.push_back(row.integer(0));
      return {};
    });
    if (!listed) return std::unexpected(listed.error());
  }
  int count = 0;
  for (const JobId id : jobs) {
    Statement& update = sql_[Sql::RetryOne];
    update.bind(id);
    {
      Rows rows(update);
      const auto changed = rows.next();
      if (!changed) return std::unexpected(changed.error());
      if (!*changed) continue;
      counts_.move(rows->view(0), JobState::Failed, JobState::Waiting);
      // The change is complete only when the statement has come to its end.
      if (const auto end = rows.next(); !end) return std::unexpected(end.error());
    }
    ++count;
    if (auto ok = set_action(id / kTargetsPerVersion, "", 0); !ok)
      return std::unexpected(ok.error());
  }
  claimed_up_to_.clear();
  return count;
}

Result<std::int64_t> LedgerCore::attempts_billed_since(std::string_view converter, WallTime since) {
  Statement& count = sql_[Sql::BilledSince];
  count.bind(to_unix_ms(since), converter);
  Rows rows(count);
  const auto row = rows.next();
  if (!row) return std::unexpected(row.error());
  return rows->integer(0);
}

}  // namespace millrace
