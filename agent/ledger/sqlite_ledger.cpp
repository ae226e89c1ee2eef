#include "agent/ledger/sqlite_ledger.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "agent/ledger/ledger_core.hpp"
#include "agent/ledger/writer_thread.hpp"
#include "platform/base/native_path.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {
namespace {

// 0 if it is not there, nothing if that cannot be told now (no descriptor is left). SQLite makes
// the WAL once for as long as the file is open.
std::optional<std::uint64_t> wal_identity(const std::filesystem::path& path) {
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const auto directory = real_file_system().open_directory(folder);
  if (!directory) return std::nullopt;
  const auto info = (*directory)->info(path_text(path.filename()) + "-wal");
  if (info) return std::max<std::uint64_t>(info->file_id, 1);
  return info.error().kind == ErrorKind::Vanished ? std::optional<std::uint64_t>(0) : std::nullopt;
}

Result<void> few_enough(std::span<const TargetSpec> targets) {
  if (static_cast<std::int64_t>(targets.size()) <= kTargetsPerVersion) return {};
  return fail(ErrorKind::Configuration, "a file has more than 256 targets");
}

class SqliteLedger final : public Ledger {
 public:
  SqliteLedger(std::unique_ptr<LedgerCore> core, std::filesystem::path path, bool created,
               std::string rebuilt_because)
      : path_(std::move(path)),
        created_(created),
        rebuilt_because_(std::move(rebuilt_because)),
        wal_(wal_identity(path_)),
        writer_(std::move(core), path_) {}

  Result<Known> look_up(const Candidate& candidate) override {
    return writer_.read_committed([&](LedgerCore& core) { return core.look_up(candidate); });
  }
  Result<std::vector<Known>> look_up_all(std::span<const Candidate> candidates) override {
    return writer_.read_committed([&](LedgerCore& core) { return core.look_up_all(candidates); });
  }
  Result<void> admit(const Candidate& candidate, std::span<const TargetSpec> targets,
                     WallTime now) override {
    if (auto few = few_enough(targets); !few) return few;
    return writer_.queue([candidate, targets = std::vector(targets.begin(), targets.end()),
                          now](LedgerCore& core) { return core.admit(candidate, targets, now); });
  }
  Result<void> admit_all(std::span<const Candidate> candidates, std::span<const TargetSpec> targets,
                         WallTime now) override {
    if (auto few = few_enough(targets); !few) return few;
    return writer_.durably([&](LedgerCore& core) -> Result<void> {
      for (const Candidate& candidate : candidates) {
        if (auto ok = core.admit(candidate, targets, now); !ok) return ok;
      }
      return {};
    });
  }
  Result<void> admit_each(std::span<const NewVersion> admissions, WallTime now) override {
    for (const NewVersion& admission : admissions) {
      if (auto few = few_enough(admission.targets); !few) return few;
    }
    return writer_.durably([&](LedgerCore& core) -> Result<void> {
      for (const NewVersion& admission : admissions) {
        if (auto ok = core.admit(admission.candidate, admission.targets, now); !ok) return ok;
      }
      return {};
    });
  }

  // What it hands out must not be taken back, so it waits for the commit of what it saw.
  Result<std::vector<Job>> claim(std::string_view folder, Lane lane, std::size_t n,
                                 WallTime now) override {
    return writer_.ask_committed(
        [&](LedgerCore& core) { return core.claim(folder, lane, n, now); });
  }
  Result<std::optional<WallTime>> next_due(WallTime after) override {
    return writer_.ask([&](LedgerCore& core) { return core.next_due(after); });
  }
  Result<void> set_converter(std::string_view folder, std::string_view converter) override {
    return writer_.durably([&](LedgerCore& core) { return core.set_converter(folder, converter); });
  }
  void release(JobId job) override {
    (void)writer_.queue([job](LedgerCore& core) -> Result<void> {
      core.release(job);
      return {};
    });
  }
  Result<Name> reserve_name(JobId job, std::string_view outbox,
                            std::span<const NameChoice> choices) override {
    return writer_.ask([&](LedgerCore& core) { return core.reserve_name(job, outbox, choices); });
  }
  Result<std::optional<OutputRecord>> output_at(std::string_view outbox,
                                                std::string_view folded_name) override {
    return writer_.ask([&](LedgerCore& core) { return core.output_at(outbox, folded_name); });
  }
  void begin_attempt(AttemptStart start, WallTime now,
                     std::function<void(Result<int>)> then) override {
    writer_.durably_then([start = std::move(start),
                          now](LedgerCore& core) { return core.begin_attempt(start, now); },
                         std::move(then));
  }
  Result<void> end_attempt(JobId job, int attempt, const AttemptEnd& end, WallTime now) override {
    return writer_.queue_until_written([job, attempt, end, now](LedgerCore& core) {
      return core.end_attempt(job, attempt, end, now);
    });
  }
  Result<void> begin_delivery(JobId job, const OutputRecord& output, const Name& temporary_name,
                              WallTime now) override {
    return writer_.durably(
        [&](LedgerCore& core) { return core.begin_delivery(job, output, temporary_name, now); });
  }
  Result<SourceSummary> finish(JobId job, int attempt, const JobEnd& end, WallTime now) override {
    return writer_.durably([&](LedgerCore& core) { return core.finish(job, attempt, end, now); });
  }
  Result<void> finish_and_keep(JobId job, int attempt, const JobEnd& end, WallTime now) override {
    return writer_.queue_until_written([job, attempt, end, now](LedgerCore& core) {
      return core.finish_and_keep(job, attempt, end, now);
    });
  }
  Result<void> record_source_action(SourceRowId row, std::string_view action,
                                    WallTime now) override {
    return writer_.queue([row, action = std::string(action), now](LedgerCore& core) {
      return core.record_source_action(row, action, now);
    });
  }

  Result<std::vector<DeliveryInProgress>> interrupted_deliveries() override {
    return writer_.ask_committed([&](LedgerCore& core) { return core.interrupted_deliveries(); });
  }
  Result<std::vector<SourceSummary>> pending_source_actions() override {
    return writer_.ask([&](LedgerCore& core) { return core.pending_source_actions(); });
  }
  Result<std::vector<OutputPlace>> leftover_places() override {
    return writer_.ask([](LedgerCore& core) { return core.leftover_places(); });
  }
  Result<void> leftovers_removed(std::string_view folder, std::string_view outbox) override {
    return writer_.queue([folder = std::string(folder), outbox = std::string(outbox)](
                             LedgerCore& core) { return core.leftovers_removed(folder, outbox); });
  }
  bool was_created() const override { return created_; }
  const std::string& rebuilt_because() const override { return rebuilt_because_; }
  Result<void> healthy() override {
    return writer_.ask([this](LedgerCore& core) { return check(core); });
  }
  Result<void> begin_run(std::string_view command, WallTime now) override {
    return writer_.queue([command = std::string(command), now](LedgerCore& core) {
      return core.begin_run(command, now);
    });
  }
  Result<void> end_run(std::string_view outcome, WallTime now) override {
    return writer_.queue([outcome = std::string(outcome), now](LedgerCore& core) {
      return core.end_run(outcome, now);
    });
  }
  Result<void> flush() override { return writer_.flush(); }
  Result<void> remember(std::string_view key, std::string_view value) override {
    return writer_.queue([key = std::string(key), value = std::string(value)](LedgerCore& core) {
      return core.remember(key, value);
    });
  }
  Result<std::optional<std::string>> recall(std::string_view key) override {
    return writer_.ask([&](LedgerCore& core) { return core.recall(key); });
  }
  Result<int> retry(JobId job, WallTime) override {
    return writer_.durably([&](LedgerCore& core) { return core.retry(job); });
  }
  Result<int> retry_each(std::span<const JobId> jobs, WallTime) override {
    return writer_.durably([&](LedgerCore& core) -> Result<int> {
      int count = 0;
      for (const JobId job : jobs) {
        const auto one = job == 0 ? Result<int>(0) : core.retry(job);
        if (!one) return one;
        count += *one;
      }
      return count;
    });
  }
  Result<Counts> counts() override {
    return writer_.ask([](LedgerCore& core) { return core.counts(); });
  }
  Result<std::int64_t> attempts_billed_since(std::string_view converter, WallTime since) override {
    return writer_.ask(
        [&](LedgerCore& core) { return core.attempts_billed_since(converter, since); });
  }
  Result<Pruned> prune(WallTime older_than, std::int64_t keep) override {
    return writer_.durably([&](LedgerCore& core) { return core.prune(older_than, keep); });
  }

 private:
  Result<void> check(LedgerCore& core) const {
    if (core.database().damaged()) {
      return fail(ErrorKind::Environment, "the ledger " + path_text(path_) + " is damaged");
    }
    const auto wal = wal_identity(path_);
    const bool other = wal && wal_ && (*wal == 0 || *wal != *wal_);
    if (core.database().moved() || other) {
      return fail(ErrorKind::Environment,
                  "the ledger " + path_text(path_) + " was replaced or removed while in use");
    }
    return {};
  }

  const std::filesystem::path path_;
  const bool created_;
  const std::string rebuilt_because_;
  const std::optional<std::uint64_t> wal_;
  WriterThread writer_;
};

}  // namespace

Result<std::unique_ptr<Ledger>> open_ledger(const LedgerOptions& options) {
  auto file = open_ledger_file(options.path, options.busy_timeout, options.now);
  if (!file) return std::unexpected(file.error());
  const bool created = file->created;
  std::string rebuilt_because = std::move(file->rebuilt_because);
  auto core = LedgerCore::make(std::move(*file), options.now);
  if (!core) return std::unexpected(core.error());
  (*core)->take_failure();
  return std::make_unique<SqliteLedger>(std::move(*core), options.path, created,
                                        std::move(rebuilt_because));
}

}  // namespace millrace
