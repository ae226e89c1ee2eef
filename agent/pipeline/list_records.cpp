#include "agent/pipeline/list_records.hpp"

#include <utility>
#include <vector>

#include "agent/download/list_report.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/sha256.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

// Of reports that a process which was killed has left.
Result<void> remove_old_reports(Directory& scratch) {
  std::vector<std::string> old;
  auto listed = scratch.list("", [&](const Directory::Entry& entry) {
    if (temporary_owner(leaf_of(entry.name)) == ListReport::kOwner) old.push_back(entry.name);
    return Visit::Continue;
  });
  for (const std::string& name : old) static_cast<void>(scratch.remove(name));
  return listed;
}

}  // namespace

Result<OutboxRecords> ListRecords::of(const std::filesystem::path& outbox) {
  const MutexLock lock(mutex_);
  if (const auto known = open_.find(outbox); known != open_.end()) return known->second;
  auto opened = open(outbox);
  if (opened) open_[outbox] = *opened;
  return opened;
}

Result<OutboxRecords> ListRecords::open(const std::filesystem::path& outbox) const {
  // Ours among all agents: the state folder is in it.
  const std::string id =
      to_hex(sha256(path_text(folder_) + '\n' + path_text(outbox))).substr(0, 12);
  auto scratch = real_file_system().make_directory(folder_ / id);
  if (!scratch) return std::unexpected(scratch.error());
  if (auto removed = remove_old_reports(**scratch); !removed)
    return std::unexpected(removed.error());
  auto records = DownloadRecords::open(folder_ / id / "downloads.db", FileLedger::Durable::Yes);
  if (!records) return std::unexpected(records.error());
  return OutboxRecords{std::move(*records), std::move(*scratch), "list-" + id};
}

}  // namespace millrace
