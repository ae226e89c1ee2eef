#include "agent/download/download_run.hpp"

#include <algorithm>
#include <utility>

#include "agent/deliver/naming.hpp"
#include "agent/download/item_names.hpp"
#include "agent/transfer/curl_http.hpp"
#include "platform/base/text.hpp"
#include "platform/base/thread.hpp"

namespace millrace {
namespace {

// Waits are ended by what changes; this bounds them where only time does.
constexpr std::chrono::milliseconds kLongestWait{500};
constexpr std::chrono::milliseconds kPatienceWithList{1000};
// Between looks at the files that somebody else asks for.
constexpr std::chrono::milliseconds kPostponement{100};
constexpr std::size_t kMostPostponed = 1000;

constexpr const char* kFetchedAnew = "it changed while it was fetched, and was fetched anew";

LineEnd ended(LineEnd::How how, std::uint64_t line, std::string_view name, std::string reason) {
  LineEnd end;
  end.how = how;
  end.line = line;
  end.name = printable(name);
  end.reason = std::move(reason);
  return end;
}

LineEnd with_record(LineEnd end, const FileRecord& record) {
  end.size = record.size;
  end.sha256 = record.sha256;
  return end;
}

}  // namespace

DownloadRun::DownloadRun(ListReader list, DownloadOptions options, const Clock& clock)
    : list_(std::move(list)),
      options_(std::move(options)),
      clock_(clock),
      window_(options_.window) {}

Result<std::unique_ptr<DownloadRun>> DownloadRun::start(ListReader list, DownloadOptions options,
                                                        const Clock& clock) {
  std::unique_ptr<DownloadRun> run{new DownloadRun(std::move(list), std::move(options), clock)};
  if (auto opened = run->open(); !opened) return std::unexpected(opened.error());
  return run;
}

Result<void> DownloadRun::open() {
  FileSystem& files = real_file_system();
  auto folder = options_.into_if_missing == IntoIfMissing::Make
                    ? files.make_directory(options_.into)
                    : files.open_directory(options_.into);
  if (!folder) return std::unexpected(folder.error());
  folder_ = std::move(*folder);
  ledger_ = options_.records->ledger.get();
  if (auto removed = options_.records->remove_leftovers(*folder_, options_.fetch.owner); !removed)
    return removed;

  CurlOptions curl;
  curl.version = HttpVersion::Http2;
  curl.public_connections = PublicConnections::Kept;
  curl.max_host_connections = static_cast<unsigned>(options_.window.max_connections);
  curl.on_multiplexed = [this](const std::string& host) {
    const MutexLock lock(mutex_);
    if (window_.set_multiplexed(host)) work_.notify_all();
  };
  auto http = start_curl_http(std::move(curl));
  if (!http) return std::unexpected(http.error());
  http_ = std::move(*http);
  fetcher_ = std::make_unique<FileFetcher>(*http_, *folder_, *ledger_, clock_, options_.fetch);
  publisher_ = std::make_unique<Publisher>(*folder_, *ledger_, options_.durable);
  feeder_ = start_thread("feeder", [this](std::stop_token) { feed(stop_.get_token()); });
  for (int i = 0; i < options_.window.workers; ++i)
    workers_.push_back(start_thread("fetch", [this](std::stop_token) { work(stop_.get_token()); }));
  return {};
}

DownloadRun::~DownloadRun() { static_cast<void>(stop()); }

bool DownloadRun::stop() {
  stop_.request_stop();
  {
    const MutexLock lock(mutex_);
    work_.notify_all();
    room_.notify_all();
  }
  workers_.clear();
  give_up_requests();
  publisher_.reset();
  const bool fed = wait_for_feeder();
  // Also what no file was published after. What this does not write is found out by recover().
  if (ledger_ != nullptr) static_cast<void>(ledger_->commit());
  return fed;
}

bool DownloadRun::wait_for_feeder() {
  MutexLock lock(mutex_);
  const TimePoint deadline = std::chrono::steady_clock::now() + kPatienceWithList;
  while (feeder_.joinable() && !feeder_ended_)
    if (!ends_.wait_until(lock, deadline)) return feeder_ended_;
  return true;
}

// ---- the feeder --------------------------------------------------------------------------------

void DownloadRun::feed(const std::stop_token& stop) {
  bool more = true;
  TimePoint next_look{};
  while ((more || !postponed_.empty()) && wait_for_room(stop)) {
    if (const TimePoint now = clock_.now(); now >= next_look) {
      take_postponed();
      next_look = now + kPostponement;
    }
    if (more && postponed_.size() < kMostPostponed)
      more = read_line();
    else
      wait_a_little();
  }
  const MutexLock lock(mutex_);
  tally_.list_ended = !stop.stop_requested();
  feeder_ended_ = true;
  ends_.notify_all();
}

// False at the end of the list.
bool DownloadRun::read_line() {
  auto item = list_.next();
  if (item && !*item) return false;
  if (item) {
    count_line();
    take_line(std::move(**item));
  } else if (item.error().kind == ErrorKind::Input) {
    count_line();
    end(ended(LineEnd::How::Failed, list_.fault().line, "", list_.fault().what));
  } else {
    const MutexLock lock(mutex_);
    list_error_ = item.error();
  }
  return true;
}

void DownloadRun::wait_a_little() {
  MutexLock lock(mutex_);
  room_.wait_until(lock, clock_.now() + kPostponement);
}

void DownloadRun::take_postponed() {
  for (std::size_t n = postponed_.size(); n > 0; --n) {
    ListItem item = std::move(postponed_.front());
    postponed_.pop_front();
    take_line(std::move(item));
  }
}

bool DownloadRun::wait_for_room(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!window_.has_room() && !stop.stop_requested()) room_.wait(lock);
  return !stop.stop_requested();
}

void DownloadRun::count_line() {
  const MutexLock lock(mutex_);
  ++listed_;
}

void DownloadRun::take_line(ListItem item) {
  auto claim = options_.records->claims.take(item_key(item));
  if (!claim) return postponed_.push_back(std::move(item));
  auto record = record_for(item);
  if (!record)
    return end(
        ended(LineEnd::How::Failed, item.line, item_name(item), std::move(record.error().message)));
  const bool done = record->state == FileState::Done;
  if (done && options_.refresh == Refresh::No)
    return end(with_record(
        ended(LineEnd::How::Skipped, item.line, record->name, "it was fetched before"), *record));
  // Not ours, or of a ledger that was lost: never written over.
  if (!done && folder_->info(record->name)) {
    keep_name(*record);
    return end(ended(LineEnd::How::Skipped, item.line, record->name,
                     "a file of this name lies there already"));
  }
  const MutexLock lock(mutex_);
  DownloadTask task;
  task.claim = std::move(claim);
  task.host = place_of(item.url);
  task.item = std::move(item);
  task.record = std::move(*record);
  window_.add(std::move(task));
  if (answers_.short_of_workers(clock_.now())) work_.notify_one();
}

// What is known of the line; a new line gets a name that nobody else has.
Result<FileRecord> DownloadRun::record_for(const ListItem& item) {
  const std::string key = item_key(item);
  auto known = ledger_->find(key);
  if (!known) return std::unexpected(known.error());
  if (*known) return settle_record(std::move(**known));
  FileRecord record;
  record.key = key;
  for (const auto name_of : {item_name, other_item_name}) {
    record.name = name_of(item);
    const auto reserved = ledger_->reserve(record, fold_name(record.name));
    if (!reserved) return std::unexpected(reserved.error());
    if (*reserved) return record;
  }
  return fail(ErrorKind::Exists, "another line has the same name; give it one in the list");
}

// Of a line that ends without a file: no other line takes its name, now or in a later run. If it
// cannot be kept, one may.
void DownloadRun::keep_name(const FileRecord& record) {
  if (record.state == FileState::Named) static_cast<void>(ledger_->put(record));
}

Result<FileRecord> DownloadRun::settle_record(FileRecord record) {
  const bool taken_up_again = !options_.list_id.empty() && record.list == options_.list_id;
  if (record.state == FileState::Done && still_ours(*folder_, record)) return record;
  if (record.state == FileState::Partial || record.state == FileState::Named) return record;
  if (record.state == FileState::Done) {
    if (folder_->info(record.name))
      return fail(ErrorKind::Exists, "somebody changed the file; it is left alone");
    if (taken_up_again) return record;
    record.state = FileState::Named;
    record.mtime_ns = 0;
    return record;
  }
  auto recovered = recover(*folder_, std::move(record));
  if (!recovered) return recovered;
  if (auto put = ledger_->put(*recovered); !put) return std::unexpected(put.error());
  return recovered;
}

// ---- the workers -------------------------------------------------------------------------------

void DownloadRun::work(const std::stop_token& stop) {
  Step step;
  for (;;) {
    step = next_step(step, stop);
    if (auto* question = std::get_if<Question>(&step))
      ask(std::move(*question), stop);
    else if (auto* taken = std::get_if<AnswerQueue::Taken>(&step))
      fetch(std::move(*taken->request), stop);
    else
      return;
  }
}

// Asking comes first: it takes no time, and the server works meanwhile. Nothing: the end.
DownloadRun::Step DownloadRun::next_step(const Step& last, const std::stop_token& stop) {
  MutexLock lock(mutex_);
  TimePoint now = clock_.now();
  if (const auto* taken = std::get_if<AnswerQueue::Taken>(&last)) answers_.back(*taken, now);
  if (const auto* question = std::get_if<Question>(&last)) answers_.back_from_sending(question->at);
  bool may_nap = !std::holds_alternative<std::monostate>(last);
  while (!stop.stop_requested()) {
    if (auto request = next_request(now))
      return Question{answers_.begin(now), now, std::move(request)};
    // What a time makes due waits for a place, or for this worker.
    const auto due = answers_.size() < most_under_way() ? window_.next_due() : std::nullopt;
    if (answers_.has_answer()) {
      auto taken = answers_.take(now);
      const bool nobody_waits = due && taken.how == Arrival::Begun;
      if (nobody_waits || answers_.wants_worker(now)) who_works().notify_one();
      return taken;
    }
    const TimePoint longest = now + kLongestWait;
    const TimePoint until = std::clamp(due.value_or(longest), now, longest);
    const bool naps = std::exchange(may_nap, false) && answers_.begin_nap(now);
    if (naps)
      nap_.wait_until(lock, std::min(until, now + AnswerQueue::kNap));
    else
      work_.wait_until(lock, until);
    now = clock_.now();
    if (naps) answers_.end_nap(now);
  }
  return {};
}

std::unique_ptr<Underway> DownloadRun::next_request(TimePoint now) {
  if (answers_.size() >= most_under_way()) return nullptr;
  auto task = window_.next(now);
  if (window_.has_much_room()) room_.notify_one();
  if (!task) return nullptr;
  if (!task->first_tried) task->first_tried = now;
  auto request = std::make_unique<Underway>();
  request->task = std::move(*task);
  request->began = now;
  return request;
}

void DownloadRun::ask(Question question, const std::stop_token& stop) {
  const DownloadTask& task = question.request->task;
  auto asked = fetcher_->ask(task.item, task.record, stop,
                             [this, id = question.id](Arrival how) { on_answer(id, how); });
  if (asked) {
    question.request->asked = std::move(*asked);
    const MutexLock lock(mutex_);
    return answers_.sent(question.id, std::move(question.request));
  }
  {
    const MutexLock lock(mutex_);
    answers_.not_sent(question.id);
  }
  request_ended(*question.request, &asked.error());
  try_again(std::move(question.request->task), asked.error(), {});
}

void DownloadRun::on_answer(AnswerQueue::Id id, Arrival how) {
  CondVar* wake = nullptr;
  {
    const MutexLock lock(mutex_);
    answers_.answered(id, how);
    if (answers_.wants_worker(clock_.now())) wake = &who_works();
  }
  // Without the lock, so that the woken worker does not sleep again on it.
  if (wake != nullptr) wake->notify_one();
}

void DownloadRun::request_ended(const Underway& request, const Error* error) {
  const MutexLock lock(mutex_);
  const TimePoint now = clock_.now();
  if (error != nullptr && error->kind == ErrorKind::Stopped)
    window_.abandoned(request.task.host);
  else
    window_.answered(request.task.host, error, now - request.began, now);
}

void DownloadRun::fetch(Underway request, const std::stop_token& stop) {
  DownloadTask& task = request.task;
  std::string bad_sha256;
  auto fetched = fetcher_->fetch(std::move(request.asked), task.item, task.record, stop,
                                 more_of(task.host), bad_sha256);
  request_ended(request, fetched ? nullptr : &fetched.error());
  if (!fetched) return try_again(std::move(task), fetched.error(), bad_sha256);
  if (fetched->file == nullptr)
    return end(with_record(
        ended(LineEnd::How::Skipped, task.item.line, task.record.name, "it has not changed"),
        task.record));
  publish(std::move(task), std::move(*fetched));
}

// What was asked for when the workers ended.
void DownloadRun::give_up_requests() {
  std::vector<std::unique_ptr<Underway>> given;
  {
    const MutexLock lock(mutex_);
    given = answers_.give_up();
  }
  const Error stopped{ErrorKind::Stopped, "the download was stopped", 0, {}};
  for (const auto& request : given) {
    request_ended(*request, &stopped);
    try_again(std::move(request->task), stopped, {});
  }
}

MoreRequests DownloadRun::more_of(const std::string& host) {
  return {[this, host] {
            const MutexLock lock(mutex_);
            return window_.take_room(host, clock_.now());
          },
          [this, host] {
            const MutexLock lock(mutex_);
            window_.abandoned(host);
            work_.notify_one();
          }};
}

void DownloadRun::publish(DownloadTask task, Fetched fetched) {
  ReadyFile ready;
  ready.file = std::move(fetched.file);
  ready.record = std::move(fetched.record);
  ready.record.list = options_.list_id;
  if (task.record.state == FileState::Done) ready.replaces = task.record;
  // The claim goes with it: until then the file is on no record.
  ready.then = [this, claim = std::move(task.claim), line = task.item.line, record = ready.record,
                anew = fetched.anew](const Result<void>& published) {
    if (published)
      end(with_record(ended(LineEnd::How::Fetched, line, record.name, anew ? kFetchedAnew : ""),
                      record));
    else
      end(ended(LineEnd::How::Failed, line, record.name, published.error().message));
  };
  publisher_->push(std::move(ready));
}

void DownloadRun::try_again(DownloadTask task, Error error, const std::string& bad_sha256) {
  // The same wrong bytes twice: the server has no others.
  if (!bad_sha256.empty() && std::exchange(task.bad_sha256, bad_sha256) == bad_sha256)
    error.kind = ErrorKind::Converter;
  if (error.kind == ErrorKind::Transient) ++task.attempts;
  const TimePoint now = clock_.now();
  Decision decision;
  {
    const MutexLock lock(mutex_);  // the random numbers are of one thread at a time
    decision = decide(options_.retry, error, task.attempts, now - *task.first_tried,
                      options_.window.random);
  }
  const bool again = decision.step == NextStep::Retry || decision.step == NextStep::Wait;
  // What was received of it may be on record by now. (Done is the record of a file that is gone.)
  if (auto known = ledger_->find(task.record.key);
      known && *known && (*known)->state != FileState::Done)
    task.record = **known;
  if (!again) {
    keep_name(task.record);
    return end(ended(LineEnd::How::Failed, task.item.line, task.record.name, error.message));
  }
  task.reason = error.message;
  const MutexLock lock(mutex_);
  window_.add_later(std::move(task), now + decision.delay);
  work_.notify_one();
}

// ---- the ends ----------------------------------------------------------------------------------

// Told before it counts: whoever sees that the run is done has been told of every line.
void DownloadRun::end(const LineEnd& line) {
  if (options_.on_line) options_.on_line(line);
  const MutexLock lock(mutex_);
  if (line.how == LineEnd::How::Fetched) ++tally_.fetched;
  if (line.how == LineEnd::How::Fetched && !line.reason.empty()) ++tally_.anew;
  if (line.how == LineEnd::How::Skipped) ++tally_.skipped;
  if (line.how == LineEnd::How::Failed) {
    ++tally_.failed;
    if (failures_.size() < kMostTroubles) failures_.push_back({line.line, line.name, line.reason});
  }
  if (all_ended()) ends_.notify_all();
}

bool DownloadRun::all_ended() const { return tally_.list_ended && listed_ == tally_.ended(); }

DownloadTally DownloadRun::tally() const {
  const MutexLock lock(mutex_);
  DownloadTally tally = tally_;
  tally.waiting = listed_ - tally.ended();
  tally.bytes = fetcher_->received();
  return tally;
}

bool DownloadRun::done() const {
  const MutexLock lock(mutex_);
  return all_ended();
}

bool DownloadRun::wait_done(std::chrono::milliseconds most) const {
  const TimePoint deadline = std::chrono::steady_clock::now() + most;
  MutexLock lock(mutex_);
  while (!all_ended())
    if (!ends_.wait_until(lock, deadline)) break;
  return all_ended();
}

std::optional<Error> DownloadRun::list_error() const {
  const MutexLock lock(mutex_);
  return list_error_;
}

std::vector<DownloadTrouble> DownloadRun::failures() const {
  const MutexLock lock(mutex_);
  return failures_;
}

std::vector<DownloadTrouble> DownloadRun::waiting() const {
  const MutexLock lock(mutex_);
  std::vector<DownloadTrouble> found;
  window_.each([&](const DownloadTask& task) {
    if (found.size() < kMostTroubles)
      found.push_back({task.item.line, printable(task.record.name), task.reason});
  });
  return found;
}

void DownloadRun::each_waiting(const LineEndSink& visit) const {
  const MutexLock lock(mutex_);
  window_.each([&](const DownloadTask& task) {
    visit(ended(LineEnd::How::Waiting, task.item.line, task.record.name,
                task.reason.empty() ? "it was not asked for yet" : task.reason));
  });
  if (!feeder_ended_) return;
  for (const ListItem& item : postponed_)
    visit(ended(LineEnd::How::Waiting, item.line, item_name(item), "another list asks for it"));
}

}  // namespace millrace
