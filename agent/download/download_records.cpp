#include "agent/download/download_records.hpp"

#include <set>
#include <utility>
#include <vector>

#include "platform/fs/atomic_file.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {

Result<std::shared_ptr<DownloadRecords>> DownloadRecords::open(const std::filesystem::path& file,
                                                               FileLedger::Durable durable) {
  auto ledger = FileLedger::open(file, durable);
  if (!ledger) return std::unexpected(ledger.error());
  return std::make_shared<DownloadRecords>(std::move(*ledger));
}

DownloadRecords::DownloadRecords(std::unique_ptr<FileLedger> opened)
    : ledger(std::move(opened)), claims([this](const std::string& key) { ledger->release(key); }) {}

Result<void> DownloadRecords::remove_leftovers(Directory& folder, const std::string& owner) {
  const MutexLock lock(mutex);
  if (leftovers_removed) return {};
  auto needed = ledger->temporaries();
  if (!needed) return std::unexpected(needed.error());
  const std::set<std::string> keep(needed->begin(), needed->end());
  std::vector<std::string> folders{""};
  while (!folders.empty()) {
    const std::string here = std::move(folders.back());
    folders.pop_back();
    std::vector<std::string> ours;
    auto listed = folder.list(here, [&](const Directory::Entry& entry) {
      if (entry.type == FileType::Directory) folders.push_back(entry.name);
      if (temporary_owner(leaf_of(entry.name)) == owner && !keep.contains(entry.name))
        ours.push_back(entry.name);
      return Visit::Continue;
    });
    // A folder that is somebody else's may be closed to us, and then holds nothing of ours.
    if (!listed && here.empty()) return listed;
    for (const std::string& name : ours) static_cast<void>(folder.remove(name));
  }
  leftovers_removed = true;
  return {};
}

}  // namespace millrace
