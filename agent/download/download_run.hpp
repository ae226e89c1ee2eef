// A list fetched into a folder: read, named, fetched, published, recorded.
//
//   list --feeder--> window --workers--> publisher --> ledger
//
// One feeder thread reads the list while the window has room, N workers ask for what it holds and
// take what answers, N at a time, one thread publishes. Memory is bounded by the window, whatever
// the list holds.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "agent/download/answer_queue.hpp"
#include "agent/download/download_records.hpp"
#include "agent/download/download_window.hpp"
#include "agent/download/file_fetcher.hpp"
#include "agent/download/line_end.hpp"
#include "agent/download/list_reader.hpp"
#include "agent/download/publisher.hpp"
#include "agent/queue/retry_policy.hpp"
#include "agent/transfer/http_client.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {

enum class Refresh {
  No,   // what was fetched and still lies there is not asked for
  Yes,  // it is asked for with If-None-Match and If-Modified-Since
};

enum class IntoIfMissing { Make, Fail };

struct DownloadOptions {
  std::filesystem::path into;
  IntoIfMissing into_if_missing = IntoIfMissing::Make;
  // Shared by all runs into this folder, of which several may go on at the same time.
  std::shared_ptr<DownloadRecords> records;
  // What tells this list from others. A file that it has fetched before is not fetched again where
  // somebody took it out of the folder since. Empty: it is.
  std::string list_id;
  LineEndSink on_line;  // may be empty
  WindowRules window;
  FetchRules fetch;
  RetryRules retry;
  Refresh refresh = Refresh::No;
  FileLedger::Durable durable = FileLedger::Durable::Yes;
};

struct DownloadTally {
  std::int64_t fetched = 0;
  std::int64_t anew = 0;     // of these: changed meanwhile, and were fetched a second time
  std::int64_t skipped = 0;  // lay there already, or has not changed
  std::int64_t failed = 0;
  std::int64_t waiting = 0;  // read from the list and not ended
  std::uint64_t bytes = 0;   // received
  bool list_ended = false;
  std::int64_t ended() const { return fetched + skipped + failed; }
};

struct DownloadTrouble {
  std::uint64_t line = 0;  // of the list, from 1
  std::string what;        // name beneath the folder, printable; empty: the line is none
  std::string reason;
};

class DownloadRun {
 public:
  static constexpr std::size_t kMostTroubles = 1000;  // that are remembered

  // Configuration or Environment if the folder or the network cannot be opened.
  static Result<std::unique_ptr<DownloadRun>> start(ListReader list, DownloadOptions options,
                                                    const Clock& clock);
  ~DownloadRun();  // stop()

  DownloadTally tally() const EXCLUDES(mutex_);
  // The list was read to its end and every line of it has ended.
  bool done() const EXCLUDES(mutex_);
  // Waits until it is done, at most for this long; what done() says then.
  bool wait_done(std::chrono::milliseconds most) const EXCLUDES(mutex_);
  // Ends requests under way; what they received of long files is kept. Every change is on record
  // when it returns. False if the list does not answer, as a pipe may: then only exit_now() helps.
  bool stop() EXCLUDES(mutex_);
  // Why the list could not be read to its end, if so.
  std::optional<Error> list_error() const EXCLUDES(mutex_);
  std::vector<DownloadTrouble> failures() const EXCLUDES(mutex_);
  std::vector<DownloadTrouble> waiting() const EXCLUDES(mutex_);
  // Every line that was read and did not end; after stop().
  void each_waiting(const LineEndSink& visit) const EXCLUDES(mutex_);
  HttpClient::Counters connections() const { return http_->counters(); }

 private:
  DownloadRun(ListReader list, DownloadOptions options, const Clock& clock);
  Result<void> open();
  void feed(const std::stop_token& stop);
  bool wait_for_feeder() EXCLUDES(mutex_);
  bool read_line();
  bool wait_for_room(const std::stop_token& stop) EXCLUDES(mutex_);
  void wait_a_little() EXCLUDES(mutex_);
  void count_line() EXCLUDES(mutex_);
  void take_postponed();
  void take_line(ListItem item) EXCLUDES(mutex_);
  Result<FileRecord> record_for(const ListItem& item);
  Result<FileRecord> settle_record(FileRecord record);
  void keep_name(const FileRecord& record);

  void work(const std::stop_token& stop);
  struct Question {
    AnswerQueue::Id id;
    TimePoint at;
    std::unique_ptr<Underway> request;
  };
  using Step = std::variant<std::monostate, Question, AnswerQueue::Taken>;
  Step next_step(const Step& last, const std::stop_token& stop) EXCLUDES(mutex_);
  std::unique_ptr<Underway> next_request(TimePoint now) REQUIRES(mutex_);
  std::size_t most_under_way() const { return static_cast<std::size_t>(options_.window.workers); }
  void ask(Question question, const std::stop_token& stop) EXCLUDES(mutex_);
  void on_answer(AnswerQueue::Id id, Arrival how) EXCLUDES(mutex_);
  CondVar& who_works() REQUIRES(mutex_) { return answers_.is_napping() ? nap_ : work_; }
  void fetch(Underway request, const std::stop_token& stop);
  void request_ended(const Underway& request, const Error* error) EXCLUDES(mutex_);
  void give_up_requests() EXCLUDES(mutex_);
  MoreRequests more_of(const std::string& host) EXCLUDES(mutex_);
  void publish(DownloadTask task, Fetched fetched);
  void try_again(DownloadTask task, Error error, const std::string& bad_sha256) EXCLUDES(mutex_);
  void end(const LineEnd& line) EXCLUDES(mutex_);
  bool all_ended() const REQUIRES(mutex_);

  ListReader list_;
  // Lines whose file somebody else asks for; the feeder's until it has ended.
  std::deque<ListItem> postponed_;
  const DownloadOptions options_;
  const Clock& clock_;

  mutable Mutex mutex_;
  CondVar work_;          // of workers: a task, a place for one, or an answer
  CondVar nap_;           // of the worker that naps: many answers
  CondVar room_;          // of the feeder: the window takes a line
  mutable CondVar ends_;  // of who waits for the end of all lines, or of the feeder
  DownloadWindow window_ GUARDED_BY(mutex_);
  AnswerQueue answers_ GUARDED_BY(mutex_);
  DownloadTally tally_ GUARDED_BY(mutex_);
  std::int64_t listed_ GUARDED_BY(mutex_) = 0;  // lines that were read
  bool feeder_ended_ GUARDED_BY(mutex_) = false;
  std::vector<DownloadTrouble> failures_ GUARDED_BY(mutex_);
  std::optional<Error> list_error_ GUARDED_BY(mutex_);

  std::unique_ptr<Directory> folder_;
  FileLedger* ledger_ = nullptr;      // of the records
  std::unique_ptr<HttpClient> http_;  // its thread calls what stands above
  std::unique_ptr<FileFetcher> fetcher_;
  std::unique_ptr<Publisher> publisher_;
  std::stop_source stop_;
  std::jthread feeder_;
  std::vector<std::jthread> workers_;  // last: they use everything above
};

}  // namespace millrace
