// `millrace convert`: a batch, once, with progress and a summary; resumed by the same command.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/cli/batch.hpp"
#include "agent/cli/context.hpp"
#include "agent/cli/failure_file.hpp"
#include "agent/cli/failure_guard.hpp"
#include "agent/cli/idle_wait.hpp"
#include "agent/cli/progress.hpp"
#include "agent/cli/text_view.hpp"
#include "agent/ledger/sqlite_ledger.hpp"
#include "agent/pipeline/engine.hpp"
#include "agent/report/latency_histogram.hpp"
#include "agent/report/log.hpp"
#include "config/bucket_url.hpp"
#include "config/values.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

// Files that the summary names; the rest is counted.
constexpr std::size_t kMostFailed = 1000;
constexpr std::size_t kMostWaiting = 20;

struct FailedFiles {
  std::vector<JobView> named;
  std::int64_t more = 0;
};

// The configuration's converters if there is one; the embedded converter alone if not.
std::expected<Context, int> base_context(const Options& options) {
  const auto folders = standard_folders();
  if (!folders) {
    say_error(options, folders.error());
    return std::unexpected(kWrongUse);
  }
  std::error_code ignored;
  const auto file = config_file_of(options, *folders);
  const bool wanted = !options.config.empty() || (options.url.empty() && !options.via.empty());
  if (wanted || std::filesystem::exists(file, ignored)) {
    const bool names_store = parse_bucket_url(options.out) ||
                             std::ranges::any_of(options.files, [](const std::string& text) {
                               return parse_bucket_url(text).has_value();
                             });
    if (options.url.empty() || !options.config.empty() || names_store) return load_context(options);
  }
  auto defaults = load_settings("", file, surroundings(*folders));
  Context context{*folders, file, std::move(*defaults)};
  return context;
}

class BatchRun {
 public:
  BatchRun(const Options& options, Context context, Batch batch, FailureGuard guard)
      : options_(options),
        context_(std::move(context)),
        batch_(std::move(batch)),
        guard_(guard),
        progress_(options.json) {}

  int run() {
    const std::unique_ptr<SignalSource> signals = take_signals();
    if (auto begun = start(); !begun) {
      say_error(options_, begun.error());
      return exit_status_for(begun.error());
    }
    auto reader = open_ledger_reader(batch_.state_dir / "ledger.db");
    if (!reader) {
      say_error(options_, reader.error());
      return kWrongUse;
    }
    began_ = clock_.now();
    if (failures_) note_trouble(failures_->write_earlier(**reader));
    const Duration patience = parse_duration(options_.patience).value_or(std::chrono::minutes{10});
    const IdleEnd end =
        wait_until_idle(*engine_, **reader, patience, *signals,
                        [&](const IdleEnd& so_far) { return each_turn(so_far, **reader); });
    progress_.finish();
    took_ = clock_.now() - began_;
    const bool all_back = engine_->stop();
    if (failures_) note_trouble(failures_->write_noted(**reader));
    const int status = sum_up(end, **reader, *signals);
    std::cout.flush();
    const bool log_written = stop_log();
    if (!all_back || !log_written) exit_now(status);
    return status;
  }

 private:
  Result<void> start() {
    if (auto made = make_state_dir(batch_.state_dir); !made) return made;
    auto lock = lock_instance(batch_.state_dir);
    if (!lock) return std::unexpected(lock.error());
    lock_ = std::move(*lock);
    if (auto begun = begin_failure_file(); !begun) return begun;
    // Failures are told by the summary; the log is for what a person must know meanwhile.
    if (auto logging = start_log("error"); !logging) return logging;
    EngineOptions engine;
    engine.settings = batch_.settings;
    engine.ledger_file = batch_.state_dir / "ledger.db";
    engine.program = own_executable();
    engine.runtime_dir = context_.folders.runtime_dir;
    engine.config_dir = context_.config_file.parent_path();
    engine.command = "convert";
    engine.workers_asked_for = options_.workers;
    engine.on_end = [this](const Assignment& assignment, const JobEnd& end) {
      if (end.state == JobState::Delivered) took_each_.add(clock_.now() - assignment.handed_out);
      if (end.state == JobState::Failed && failures_) failures_->note(assignment.job.id);
    };
    auto started = Engine::start(std::move(engine), clock_);
    if (!started) return std::unexpected(started.error());
    engine_ = std::move(*started);
    return {};
  }

  Result<void> begin_failure_file() {
    if (options_.failures.empty()) return {};
    const auto path = full_path(native_path(options_.failures), current_folder());
    auto file = FailureFile::begin(path);
    if (!file) return std::unexpected(file.error());
    std::error_code ignored;
    batch_.leave_out(std::filesystem::weakly_canonical(path, ignored));
    failures_ = std::make_unique<FailureNotes>(
        std::move(*file), [this](const JobView& job) { return batch_.asked_for(job); });
    return {};
  }

  // Of the file of failures; the conversions go on, and the summary tells.
  void note_trouble(const Result<void>& written) {
    if (!written) file_trouble_ = written.error().message;
  }

  Standing standing(const Tally& tally, const IdleEnd& so_far) const {
    return {tally, so_far.waiting, done_before(), so_far.all_seen, took_each_.percentile(0.95)};
  }

  bool each_turn(const IdleEnd& so_far, LedgerReader& reader) {
    const Tally tally = engine_->tally();
    const TimePoint now = clock_.now();
    progress_.show(standing(tally, so_far), now);
    if (failures_) note_trouble(failures_->write_noted(reader));
    if (guard_.tripped(tally)) {
      stopped_because_ = "too many files failed (--max-failures " + options_.max_failures + ")";
    } else if (const auto unseen = why_unseen(*engine_, true)) {
      stopped_because_ = *unseen;
    } else if (so_far.waiting > 0) {
      stopped_because_ = why_hopeless(*engine_, reader).value_or("");
    }
    return stopped_because_.empty();
  }

  int sum_up(const IdleEnd& end, LedgerReader& reader, const SignalSource& signals) {
    Tally tally = engine_->tally();
    tally.skipped += done_before();
    const FailedFiles failures = failures_of_this_batch(reader);
    const auto left_out = why_left_out(*engine_, end);
    if (options_.json) {
      list_json(failures.named, "failed");
      if (end.waiting > 0) list_json(of_this_batch(reader.waiting(1000)), "waiting");
      nlohmann::json summary{{"type", "summary"},           {"delivered", tally.delivered},
                             {"skipped", tally.skipped},    {"failed", tally.failed},
                             {"waiting", end.waiting},      {"bytes_in", tally.bytes_in},
                             {"bytes_out", tally.bytes_out}};
      summary["more"] = failures.more;  // failures that no line names
      if (const auto share = failure_share(tally)) summary["failure_share"] = *share;
      if (const auto rate = per_second(tally)) summary["per_second"] = *rate;
      if (const auto p95 = took_each_.percentile(0.95)) summary["p95_ms"] = milliseconds_of(*p95);
      if (!stopped_because_.empty()) summary["stopped"] = stopped_because_;
      if (left_out) summary["left_out"] = printable(*left_out);
      std::cout << summary.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    } else {
      std::cout << tally.delivered << " converted, " << tally.skipped << " skipped, "
                << tally.failed << " failed";
      if (end.waiting > 0) std::cout << ", " << end.waiting << " still waiting";
      std::cout << " (" << rough_size(tally.bytes_in) << " in, " << rough_size(tally.bytes_out)
                << " out)\n"
                << pace_text(tally);
      list(failures.named, "failed", failures.more);
      if (end.waiting > 0) {
        const auto rows = of_this_batch(reader.waiting(kMostWaiting));
        list(rows, "waiting", end.waiting - std::ssize(rows));
      }
      if (!stopped_because_.empty()) {
        std::cerr << "millrace: stopped: " << printable(stopped_because_) << "\n";
      } else if (left_out) {
        std::cerr << "millrace: " << printable(*left_out) << "\n";
      }
      tell_empty_buckets();
    }
    if (!file_trouble_.empty()) tell_file_trouble();
    if (end.stopped && signals.interrupted()) return kInterrupted;
    if (!stopped_because_.empty()) return kStoppedEarly;
    const bool all_well = tally.failed == 0 && end.waiting == 0 && failures.named.empty() &&
                          !left_out && file_trouble_.empty();
    return all_well ? kAllWell : kSomeFailed;
  }

  std::optional<double> per_second(const Tally& tally) const {
    const double seconds = std::chrono::duration<double>(took_).count();
    if (tried(tally) == 0 || seconds <= 0) return std::nullopt;
    return static_cast<double>(tried(tally)) / seconds;
  }

  // "in 4 min: 290 a minute, 3.3% failed, p95 810 ms"; nothing if nothing was converted.
  std::string pace_text(const Tally& tally) const {
    const auto rate = per_second(tally);
    if (!rate) return "";
    std::string text = "in " + rough_duration(took_) + ": " + a_minute_text(*rate) + ", " +
                       share_text(failure_share(tally).value_or(0)) + " failed";
    if (const auto p95 = took_each_.percentile(0.95)) text += ", p95 " + latency_text(*p95);
    return text + "\n";
  }

  void tell_file_trouble() const {
    std::cerr << "millrace: not every failure stands in " << printable(options_.failures) << ": "
              << printable(file_trouble_) << "\n";
  }

  // A prefix that is not there cannot be told from an empty one.
  void tell_empty_buckets() const {
    for (const FolderStatus& status : engine_->folders()) {
      if (status.health.scans > 0 && status.health.files_seen == 0 &&
          parse_bucket_url(status.inbox))
        std::cerr << "millrace: nothing to convert lies beneath " << printable(status.inbox)
                  << "/\n";
    }
  }

  // Targets of sources that no job was made for, since a listing showed their results.
  std::int64_t done_before() const {
    std::int64_t done = 0;
    for (const FolderStatus& status : engine_->folders())
      done += static_cast<std::int64_t>(status.health.done_before) *
              std::ssize(batch_.settings.folder(status.view.name)->to);
    return done;
  }

  // The ledger also remembers what other commands with this destination asked for.
  std::vector<JobView> of_this_batch(Result<std::vector<JobView>> rows) const {
    if (!rows) return {};
    std::erase_if(*rows, [&](const JobView& row) { return !batch_.asked_for(row); });
    return std::move(*rows);
  }

  // Looks at all that the ledger holds: failures of other commands push none of ours out.
  FailedFiles failures_of_this_batch(LedgerReader& reader) const {
    FailedFiles failures;
    for (JobId last = 0;;) {
      auto some = reader.failures_behind(last, kMostFailed);
      if (!some || some->empty()) return failures;
      last = some->back().id;
      for (JobView& row : *some) {
        if (!batch_.asked_for(row)) continue;
        if (failures.named.size() == kMostFailed)
          ++failures.more;
        else
          failures.named.push_back(std::move(row));
      }
    }
  }

  static void list_json(const std::vector<JobView>& rows, std::string_view what) {
    for (const JobView& row : rows) {
      std::cout << nlohmann::json{{"type", what},
                                  {"folder", printable(row.candidate.folder)},
                                  {"file", printable(row.candidate.name)},
                                  {"to", row.target},
                                  {"reason", printable(row.reason)}}
                << "\n";
    }
  }

  // The reason of a file that was not tried yet is empty.
  static void list(const std::vector<JobView>& rows, std::string_view what, std::int64_t more) {
    for (const JobView& row : rows) {
      std::cerr << what << ": " << printable(row.candidate.name) << " to " << row.target
                << (row.reason.empty() ? "" : ": ") << row.reason << "\n";
    }
    if (more > 0) std::cerr << what << ": " << more << " more\n";
  }

  const Options& options_;
  Context context_;
  Batch batch_;
  FailureGuard guard_;
  Progress progress_;
  const SystemClock clock_;
  TimePoint began_{};
  Duration took_{0};
  LatencyHistogram took_each_;  // of conversions: from a worker's start to the result in place
  std::unique_ptr<FailureNotes> failures_;  // with --failures
  std::string file_trouble_;                // the file lacks something, and why
  std::unique_ptr<InstanceLock> lock_;
  std::unique_ptr<Engine> engine_;
  std::string stopped_because_;
};

}  // namespace

int run_convert(const Options& options) {
  auto context = base_context(options);
  if (!context) return context.error();
  const auto guard = FailureGuard::parse(options.max_failures);
  if (!guard) {
    say_error(options, guard.error());
    return kWrongUse;
  }
  auto batch = plan_batch(options, context->settings, context->settings.agent.state_dir);
  if (!batch) {
    say_error(options, batch.error());
    return kWrongUse;
  }
  return BatchRun(options, std::move(*context), std::move(*batch), *guard).run();
}

}  // namespace millrace
