// `millrace fetch`: a list of downloads, once, with progress and a summary; resumed by the same
// command.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "agent/cli/context.hpp"
#include "agent/cli/fetch_status.hpp"
#include "agent/cli/progress.hpp"
#include "agent/cli/text_view.hpp"
#include "agent/download/download_run.hpp"
#include "agent/pipeline/services.hpp"
#include "config/values.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kShowEvery{100};
constexpr int kDefaultWorkers = 16;
// Of each kind of trouble, lines that the summary names; the rest is counted.
constexpr std::size_t kMostNamed = 20;

struct FetchSettings {
  fs::path state;
  std::function<Result<Headers>(const std::string& place)> headers;
};

// The configuration, if there is one, tells where state is kept and what is sent with requests.
std::expected<FetchSettings, int> fetch_settings(const Options& options) {
  const auto folders = standard_folders();
  if (!folders) {
    say_error(options, folders.error());
    return std::unexpected(kWrongUse);
  }
  FetchSettings settings;
  settings.state = folders->state_dir;
  std::error_code ignored;
  const fs::path file = config_file_of(options, *folders);
  if (!options.config.empty() || fs::exists(file, ignored)) {
    auto context = load_context(options);
    if (!context) return std::unexpected(context.error());
    settings.state = context->settings.agent.state_dir;
    const auto* download = context->settings.converter("download");
    if (download != nullptr) settings.headers = headers_of(download->headers, file.parent_path());
  }
  if (!options.state_dir.empty())
    settings.state = full_path(native_path(options.state_dir), current_folder());
  return settings;
}

Result<ListReader> open_list(const Options& options) {
  if (options.list != "-") return ListReader::open(native_path(options.list));
  // So that what is in a pipe can be taken without waiting for more.
  std::ios::sync_with_stdio(false);
  return ListReader(std::cin, "-");
}

std::function<double()> random_numbers() {
  return [engine = std::mt19937_64(std::random_device{}())]() mutable {
    return std::uniform_real_distribution<double>(0, 1)(engine);
  };
}

DownloadOptions download_options(const Options& options, const fs::path& into) {
  DownloadOptions download;
  download.into = into;
  download.window.workers = options.workers.value_or(kDefaultWorkers);
  download.window.max_connections = std::min(options.max_connections, download.window.workers);
  download.window.rate_per_second = parse_rate(options.rate);
  download.window.random = random_numbers();
  download.fetch.allow = options.allow_fetch;
  download.fetch.ca_file = options.ca_file;
  download.fetch.hashing = Hashing::IfListed;  // nobody is told of it
  download.refresh = options.refresh ? Refresh::Yes : Refresh::No;
  if (options.no_sync) {
    download.durable = FileLedger::Durable::No;
    download.fetch.durability = Durability::None;
  }
  return download;
}

class FetchRun {
 public:
  FetchRun(const Options& options, FetchSettings settings)
      : options_(options),
        into_(full_path(native_path(options.into), current_folder())),
        state_dir_(settings.state / "batch" / batch_id()),
        headers_(std::move(settings.headers)),
        progress_(options.json) {}

  int run() {
    const std::unique_ptr<SignalSource> signals = take_signals();
    if (auto begun = start(); !begun) {
      say_error(options_, begun.error());
      return exit_status_for(begun.error());
    }
    wait(*signals);
    progress_.finish();
    const bool all_back = run_->stop();
    const int status = sum_up(*signals);
    std::cout.flush();
    if (!all_back) exit_now(status);
    return status;
  }

 private:
  // The same destination finds the same ledger again, whatever the list is called.
  std::string batch_id() const {
    return to_hex(sha256("fetch\n" + path_text(into_))).substr(0, 16);
  }

  Result<void> start() {
    auto list = open_list(options_);
    if (!list) return std::unexpected(list.error());
    if (auto made = make_state_dir(state_dir_); !made) return made;
    auto lock = lock_instance(state_dir_);
    if (!lock) return std::unexpected(lock.error());
    lock_ = std::move(*lock);
    DownloadOptions download = download_options(options_, into_);
    auto records = DownloadRecords::open(state_dir_ / "downloads.db", download.durable);
    if (!records) return std::unexpected(records.error());
    download.records = std::move(*records);
    download.fetch.headers = headers_;
    // Another run, into a folder around this one or within it, must not take ours for leftovers.
    download.fetch.owner = "fetch-" + to_hex(sha256(path_text(state_dir_))).substr(0, 12);
    auto started = DownloadRun::start(std::move(*list), std::move(download), clock_);
    if (!started) return std::unexpected(started.error());
    run_ = std::move(*started);
    status_ = std::make_unique<FetchStatus>(state_dir_, printable(options_.list),
                                            printable(path_text(into_)), clock_.now());
    return {};
  }

  void wait(SignalSource& signals) {
    const Duration patience = parse_duration(options_.patience).value_or(std::chrono::minutes{10});
    DownloadTally before;
    TimePoint moved = clock_.now();
    while (!run_->done()) {
      const auto heard = signals.wait(kShowEvery);
      stopped_ = heard == Signal::Stop;
      if (stopped_) return;
      const DownloadTally tally = run_->tally();
      const TimePoint now = clock_.now();
      if (tally.ended() != before.ended() || tally.bytes != before.bytes) moved = now;
      before = tally;
      if (now - moved >= patience) return;
      progress_.show(as_files(tally), tally.waiting, now);
      status_->show(tally, now);
    }
  }

  static Tally as_files(const DownloadTally& tally) {
    Tally files;
    files.delivered = tally.fetched;
    files.skipped = tally.skipped;
    files.failed = tally.failed;
    return files;
  }

  int sum_up(const SignalSource& signals) {
    const DownloadTally tally = run_->tally();
    const auto failures = run_->failures();
    const auto waiting = run_->waiting();
    const auto list_error = run_->list_error();
    if (options_.json) {
      list_json(failures, "failed");
      list_json(waiting, "waiting");
      nlohmann::json summary{{"type", "summary"},        {"fetched", tally.fetched},
                             {"skipped", tally.skipped}, {"failed", tally.failed},
                             {"anew", tally.anew},       {"waiting", tally.waiting},
                             {"bytes", tally.bytes},     {"whole_list", whole(tally)}};
      std::cout << summary << "\n";
    } else {
      std::cout << tally.fetched << " fetched, " << tally.skipped << " skipped, " << tally.failed
                << " failed";
      if (tally.waiting > 0) std::cout << ", " << tally.waiting << " still waiting";
      std::cout << " (" << rough_size(tally.bytes) << ")\n";
      if (tally.anew > 0)
        std::cout << tally.anew << " changed while they were fetched, and were fetched anew\n";
      list(failures, "failed", tally.failed);
      list(waiting, "waiting", tally.waiting);
      if (!tally.list_ended) std::cerr << "the list was not read to its end\n";
    }
    if (list_error) say_error(options_, *list_error);
    if (stopped_ && signals.interrupted()) return kInterrupted;
    if (list_error && tally.ended() == 0) return kWrongUse;
    return tally.failed == 0 && tally.waiting == 0 && whole(tally) ? kAllWell : kSomeFailed;
  }

  bool whole(const DownloadTally& tally) const { return tally.list_ended && !run_->list_error(); }

  static void list_json(const std::vector<DownloadTrouble>& rows, std::string_view what) {
    for (const auto& row : rows)
      std::cout << nlohmann::json{{"type", what},
                                  {"file", row.what},
                                  {"line", row.line},
                                  {"reason", row.reason}}
                << "\n";
  }

  static void list(const std::vector<DownloadTrouble>& rows, std::string_view what,
                   std::int64_t all) {
    const std::size_t named = std::min(rows.size(), kMostNamed);
    for (const auto& row : std::span(rows).first(named))
      std::cerr << what << ": line " << row.line << (row.what.empty() ? "" : ": ") << row.what
                << (row.reason.empty() ? "" : ": ") << row.reason << "\n";
    const auto more = all - static_cast<std::int64_t>(named);
    if (more > 0) std::cerr << what << ": " << more << " more\n";
  }

  const Options& options_;
  const fs::path into_;
  const fs::path state_dir_;
  const std::function<Result<Headers>(const std::string& place)> headers_;
  Progress progress_;
  const SystemClock clock_;
  std::unique_ptr<InstanceLock> lock_;
  std::unique_ptr<FetchStatus> status_;  // before the lock is gone, so is it
  std::unique_ptr<DownloadRun> run_;
  bool stopped_ = false;
};

}  // namespace

int run_fetch(const Options& options) {
  auto settings = fetch_settings(options);
  if (!settings) return settings.error();
  return FetchRun(options, std::move(*settings)).run();
}

}  // namespace millrace
