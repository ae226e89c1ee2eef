#include "agent/download/download_run.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/deliver/naming.hpp"
#include "agent/download/item_names.hpp"
#include "agent/transfer/curl_http.hpp"
#include "agent/transfer/url_parts.hpp"
#include "platform/base/text.hpp"
#include "platform/base/thread.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

// Waits are ended by what changes; this bounds them where only time does.
constexpr std::chrono::milliseconds kLongestWait{500};
constexpr std::chrono::milliseconds kPatienceWithList{1000};

std::string host_of(const std::string& url) {
  const std::string origin = origin_of(url);
  const auto slashes = origin.find("://");
  return printable(slashes == origin.npos ? "" : origin.substr(slashes + 3), 200);
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
  auto folder = real_file_system().make_directory(options_.into);
  if (!folder) return std::unexpected(folder.error());
  folder_ = std::move(*folder);
  auto ledger = FileLedger::open(options_.records_file, options_.durable);
  if (!ledger) return std::unexpected(ledger.error());
  ledger_ = std::move(*ledger);
  if (auto removed = remove_leftovers(); !removed) return removed;

  CurlOptions curl;
  curl.version = HttpVersion::Http2;
  curl.public_connections = PublicConnections::Kept;
  curl.max_host_connections = static_cast<unsigned>(options_.window.max_connections);
  curl.on_multiplexed = [this](const std::string& host) {
    const MutexLock lock(mutex_);
    window_.set_multiplexed(host);
    changed_.notify_all();
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
    changed_.notify_all();
  }
  workers_.clear();
  publisher_.reset();
  MutexLock lock(mutex_);
  const TimePoint deadline = std::chrono::steady_clock::now() + kPatienceWithList;
  while (feeder_.joinable() && !feeder_ended_)
    if (!changed_.wait_until(lock, deadline)) return feeder_ended_;
  return true;
}

// Temporaries that a run left and that no record needs.
Result<void> DownloadRun::remove_leftovers() {
  auto needed = ledger_->temporaries();
  if (!needed) return std::unexpected(needed.error());
  const std::set<std::string> keep(needed->begin(), needed->end());
  std::vector<std::string> folders{""};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    std::vector<std::string> ours;
    auto listed = folder_->list(folder, [&](const Directory::Entry& entry) {
      if (entry.type == FileType::Directory) folders.push_back(entry.name);
      if (temporary_owner(leaf_of(entry.name)) == options_.fetch.owner &&
          !keep.contains(entry.name))
        ours.push_back(entry.name);
      return Visit::Continue;
    });
    if (!listed) return listed;
    for (const std::string& name : ours) static_cast<void>(folder_->remove(name));
  }
  return {};
}

// ---- the feeder --------------------------------------------------------------------------------

void DownloadRun::feed(const std::stop_token& stop) {
  while (wait_for_room(stop)) {
    auto item = list_.next();
    if (item && !*item) break;
    count_line();
    if (item) {
      take_line(std::move(**item));
    } else if (item.error().kind == ErrorKind::Input) {
      fail_line(item.error().message, "");
    } else {
      const MutexLock lock(mutex_);
      --listed_;
      list_error_ = item.error();
    }
  }
  const MutexLock lock(mutex_);
  tally_.list_ended = !stop.stop_requested();
  feeder_ended_ = true;
  changed_.notify_all();
}

bool DownloadRun::wait_for_room(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!window_.has_room() && !stop.stop_requested()) changed_.wait(lock);
  return !stop.stop_requested();
}

void DownloadRun::count_line() {
  const MutexLock lock(mutex_);
  ++listed_;
}

void DownloadRun::take_line(ListItem item) {
  auto record = record_for(item);
  if (!record) return fail_line(printable(item_name(item)), record.error().message);
  const bool done = record->state == FileState::Done;
  if (done && options_.refresh == Refresh::No) return end(End::Skipped);
  // Not ours, or of a ledger that was lost: never written over.
  if (!done && folder_->info(record->name)) return end(End::Skipped);
  const MutexLock lock(mutex_);
  DownloadTask task;
  task.host = host_of(item.url);
  task.item = std::move(item);
  task.record = std::move(*record);
  window_.add(std::move(task));
  changed_.notify_all();
}

// What is known of the line; a new line gets a name that nobody else has.
Result<FileRecord> DownloadRun::record_for(const ListItem& item) {
  const std::string key = item_key(item);
  auto known = ledger_->find(key);
  if (!known) return std::unexpected(known.error());
  if (*known) return settle_record(std::move(**known));
  FileRecord record;
  record.key = key;
  for (Name name : {item_name(item), other_item_name(item)}) {
    record.name = std::move(name);
    const auto reserved = ledger_->reserve(record, fold_name(record.name));
    if (!reserved) return std::unexpected(reserved.error());
    if (*reserved) return record;
  }
  return fail(ErrorKind::Exists, "another line has the same name; give it one in the list");
}

Result<FileRecord> DownloadRun::settle_record(FileRecord record) {
  if (record.state == FileState::Done && still_ours(*folder_, record)) return record;
  if (record.state == FileState::Partial || record.state == FileState::Named) return record;
  if (record.state == FileState::Done) {
    if (folder_->info(record.name))
      return fail(ErrorKind::Exists, "somebody changed the file; it is left alone");
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
  while (auto task = next_task(stop)) fetch(std::move(*task), stop);
}

std::optional<DownloadTask> DownloadRun::next_task(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!stop.stop_requested()) {
    const TimePoint now = clock_.now();
    if (auto task = window_.next(now)) {
      changed_.notify_all();
      return task;
    }
    const auto due = window_.next_due().value_or(now + kLongestWait);
    changed_.wait_until(lock, std::clamp(due, now, now + kLongestWait));
  }
  return std::nullopt;
}

void DownloadRun::fetch(DownloadTask task, const std::stop_token& stop) {
  const TimePoint began = clock_.now();
  if (!task.first_tried) task.first_tried = began;
  std::string bad_sha256;
  auto fetched = fetcher_->fetch(task.item, task.record, stop, bad_sha256);
  const Error* error = fetched ? nullptr : &fetched.error();
  {
    const MutexLock lock(mutex_);
    const TimePoint now = clock_.now();
    if (error != nullptr && error->kind == ErrorKind::Stopped)
      window_.abandoned(task.host);
    else
      window_.answered(task.host, error, now - began, now);
    changed_.notify_all();
  }
  if (error != nullptr) return try_again(std::move(task), *error, bad_sha256);
  if (fetched->file == nullptr) return end(End::Skipped);
  publish(std::move(task), std::move(*fetched));
}

void DownloadRun::publish(DownloadTask task, Fetched fetched) {
  ReadyFile ready;
  ready.file = std::move(fetched.file);
  ready.record = std::move(fetched.record);
  if (task.record.state == FileState::Done) ready.replaces = task.record;
  ready.then = [this, name = task.record.name](Result<void> published) {
    if (published) return end(End::Fetched);
    fail_line(printable(name), published.error().message);
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
  // What was received of it may be on record by now.
  if (auto known = ledger_->find(task.record.key); known && *known) task.record = **known;
  if (!again) return fail_line(printable(task.record.name), error.message);
  task.reason = error.message;
  const MutexLock lock(mutex_);
  window_.add_later(std::move(task), now + decision.delay);
  changed_.notify_all();
}

// ---- the ends ----------------------------------------------------------------------------------

void DownloadRun::end(End how) {
  const MutexLock lock(mutex_);
  if (how == End::Fetched)
    ++tally_.fetched;
  else
    ++tally_.skipped;
  changed_.notify_all();
}

void DownloadRun::fail_line(const std::string& what, const std::string& reason) {
  const MutexLock lock(mutex_);
  ++tally_.failed;
  if (failures_.size() < kMostTroubles) failures_.push_back({what, reason});
  changed_.notify_all();
}

DownloadTally DownloadRun::tally() const {
  const MutexLock lock(mutex_);
  DownloadTally tally = tally_;
  tally.waiting = listed_ - tally.ended();
  tally.bytes = fetcher_->received();
  return tally;
}

bool DownloadRun::done() const {
  const MutexLock lock(mutex_);
  return tally_.list_ended && listed_ == tally_.ended();
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
    if (found.size() < kMostTroubles) found.push_back({printable(task.record.name), task.reason});
  });
  return found;
}

}  // namespace millrace
