#include "agent/download/publisher.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "platform/base/sha256.hpp"
#include "platform/base/thread.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

// Do the bytes of the record lie at the name?
bool holds(Directory& folder, const std::string& name, const FileRecord& record) {
  const auto info = folder.info(name);
  if (!info || info->type != FileType::Regular || info->size != record.size) return false;
  if (record.sha256.empty()) return info->mtime_ns == record.made_ns;
  const auto file = folder.open(name);
  if (!file) return false;
  Sha256 hash;
  std::vector<std::byte> piece(64 * 1024);
  for (std::uint64_t at = 0; at < record.size;) {
    const auto got = (*file)->read_at(at, piece);
    if (!got || *got == 0) return false;
    hash.update(std::span(piece).first(*got));
    at += *got;
  }
  return to_hex(hash.finish()) == record.sha256;
}

Result<FileRecord> as_done(Directory& folder, FileRecord record) {
  const auto info = folder.info(record.name);
  if (!info) return std::unexpected(info.error());
  record.state = FileState::Done;
  record.mtime_ns = info->mtime_ns;
  record.made_ns = 0;
  record.temporary.clear();
  return record;
}

// What lies at the name still, if it is what the bytes of the record were to replace; asked for
// again by the next refresh, whatever validator it once had.
std::optional<FileRecord> replaced_by(Directory& folder, FileRecord record) {
  const auto info = folder.info(record.name);
  if (!info || info->type != FileType::Regular || record.mtime_ns == 0 ||
      info->mtime_ns != record.mtime_ns)
    return std::nullopt;
  record.state = FileState::Done;
  record.temporary.clear();
  record.size = info->size;
  record.sha256.clear();
  record.etag.clear();
  record.last_modified.clear();
  return record;
}

}  // namespace

bool still_ours(Directory& folder, const FileRecord& record) {
  const auto info = folder.info(record.name);
  return info && info->type == FileType::Regular && info->size == record.size &&
         info->mtime_ns == record.mtime_ns;
}

Result<FileRecord> recover(Directory& folder, FileRecord record) {
  if (holds(folder, record.name, record)) return as_done(folder, std::move(record));
  const std::optional<FileRecord> old = replaced_by(folder, record);
  if (holds(folder, record.temporary, record)) {
    const auto put = old ? folder.replace(record.temporary, record.name)
                         : folder.publish(record.temporary, record.name);
    if (put && folder.sync_directory(std::string(parent_of(record.name))))
      return as_done(folder, std::move(record));
  }
  static_cast<void>(folder.remove(record.temporary));
  if (old) return *old;
  record.state = FileState::Named;
  record.temporary.clear();
  return record;
}

Publisher::Publisher(Directory& folder, FileLedger& ledger, FileLedger::Durable durable)
    : folder_(folder), ledger_(ledger), durable_(durable) {
  thread_ = start_thread("publisher", [this](std::stop_token) { run(); });
}

Publisher::~Publisher() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
}

void Publisher::push(ReadyFile ready) {
  MutexLock lock(mutex_);
  while (queue_.size() >= kMostWaiting) room_.wait(lock);
  queue_.push_back(std::move(ready));
  // Those in between are found when the gathering ends.
  if (queue_.size() == 1 || queue_.size() == kEnough) work_.notify_one();
}

// Nothing: the end, or nothing has come for a while and something waits to be committed.
std::vector<ReadyFile> Publisher::take(Committed committed) {
  MutexLock lock(mutex_);
  auto until = std::chrono::steady_clock::now() + kGathering;
  while (queue_.empty() && !stopping_) {
    if (committed == Committed::Yes)
      work_.wait(lock);
    else if (!work_.wait_until(lock, until))
      return {};
  }
  until = std::chrono::steady_clock::now() + kGathering;
  while (queue_.size() < kEnough && !stopping_ && work_.wait_until(lock, until)) {
  }
  room_.notify_all();
  return std::exchange(queue_, {});
}

void Publisher::run() {
  Committed committed = Committed::Yes;
  for (;;) {
    auto group = take(committed);
    if (group.empty() && committed == Committed::Yes) return;
    if (group.empty()) {
      // What this does not write is found out by recover().
      static_cast<void>(ledger_.commit());
      committed = Committed::Yes;
    } else {
      publish(std::move(group));
      committed = Committed::No;
    }
  }
}

Result<void> Publisher::record_all(std::vector<ReadyFile>& group) {
  for (ReadyFile& ready : group) {
    ready.record.state = FileState::Publishing;
    // Looked at when it is closed: only then its time is final. If it is gone, the rename says so.
    const auto info = folder_.info(ready.record.temporary);
    ready.record.made_ns = info ? info->mtime_ns : 0;
    if (auto put = ledger_.put(ready.record); !put) return put;
  }
  return ledger_.commit();
}

Result<void> Publisher::rename(ReadyFile& ready) {
  if (!ready.replaces) return ready.file->publish();
  if (!still_ours(folder_, *ready.replaces))
    return fail(ErrorKind::Exists, "somebody changed the file; it is left alone");
  return ready.file->replace();
}

Result<void> Publisher::sync_folders(const std::vector<ReadyFile>& group) {
  if (durable_ == FileLedger::Durable::No) return {};
  std::set<std::string> folders;
  for (const ReadyFile& ready : group) folders.emplace(parent_of(ready.record.name));
  for (const std::string& folder : folders)
    if (auto synced = folder_.sync_directory(folder); !synced) return synced;
  return {};
}

// Without another look: where the folder is somebody's inbox the file may have been taken by now,
// and no rename changes its time.
Result<void> Publisher::record_done(FileRecord record) {
  record.state = FileState::Done;
  record.mtime_ns = std::exchange(record.made_ns, 0);
  record.temporary.clear();
  return ledger_.put(record);
}

void Publisher::publish(std::vector<ReadyFile> group) {
  std::vector<Result<void>> results(group.size());
  if (auto recorded = record_all(group); !recorded) {
    for (ReadyFile& ready : group) ready.then(recorded);
    return;
  }
  for (std::size_t i = 0; i < group.size(); ++i) results[i] = rename(group[i]);
  const auto synced = sync_folders(group);
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (results[i] && !synced) results[i] = synced;
    if (results[i]) results[i] = record_done(group[i].record);
  }
  // The next folder may take a file away at once; what this does not write is found out by
  // recover().
  const auto of_list = [](const ReadyFile& ready) { return !ready.record.list.empty(); };
  if (std::ranges::any_of(group, of_list)) static_cast<void>(ledger_.commit());
  for (std::size_t i = 0; i < group.size(); ++i) group[i].then(results[i]);
}

}  // namespace millrace
