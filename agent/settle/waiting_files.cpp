#include "agent/settle/waiting_files.hpp"

#include <utility>

namespace millrace {

WaitingFile* WaitingFiles::find(std::size_t root, const Name& name) {
  return const_cast<WaitingFile*>(std::as_const(*this).find(root, name));
}

const WaitingFile* WaitingFiles::find(std::size_t root, const Name& name) const {
  if (root >= tables_.size()) return nullptr;
  const auto found = tables_[root].find(name);
  return found == tables_[root].end() ? nullptr : &found->second;
}

WaitingFile& WaitingFiles::add(std::size_t root, const Name& name, TimePoint now) {
  if (root >= tables_.size()) tables_.resize(root + 1);
  const auto entry = tables_[root].try_emplace(name).first;
  WaitingFile& file = entry->second;
  file.name = &entry->first;
  file.root = static_cast<std::uint32_t>(root);
  file.first_seen = now;
  file.older = newest_;
  (newest_ != nullptr ? newest_->newer : oldest_) = &file;
  newest_ = &file;
  ++size_;
  return file;
}

void WaitingFiles::remove(WaitingFile& file) {
  unschedule(file);
  unlink(file);
  --size_;
  Table& table = tables_[file.root];
  table.erase(table.find(*file.name));
}

void WaitingFiles::remove_all(std::size_t root) {
  if (root >= tables_.size()) return;
  while (!tables_[root].empty()) remove(tables_[root].begin()->second);
  tables_[root] = Table{};
}

void WaitingFiles::schedule(WaitingFile& file, TimePoint due) {
  file.due = due;
  if (file.heap_place == WaitingFile::kNotDue) {
    heap_.push_back(&file);
    file.heap_place = static_cast<std::uint32_t>(heap_.size() - 1);
  }
  rise(file.heap_place);
  sink(file.heap_place);
}

void WaitingFiles::unschedule(WaitingFile& file) {
  if (file.heap_place == WaitingFile::kNotDue) return;
  const std::size_t hole = std::exchange(file.heap_place, WaitingFile::kNotDue);
  WaitingFile* last = heap_.back();
  heap_.pop_back();
  if (last == &file) return;
  place(hole, last);
  rise(last->heap_place);
  sink(last->heap_place);
}

void WaitingFiles::postpone(Duration by) {
  for (Table& table : tables_) {
    for (auto& [name, file] : table) {
      file.changed_at += std::chrono::duration_cast<TimePoint::duration>(by);
      file.due += std::chrono::duration_cast<TimePoint::duration>(by);  // the order stays
    }
  }
}

void WaitingFiles::tell_late(WaitingFile& file) {
  unlink(file);
  file.told_late = true;
}

std::size_t WaitingFiles::size(std::size_t root) const {
  return root < tables_.size() ? tables_[root].size() : 0;
}

void WaitingFiles::place(std::size_t at, WaitingFile* file) {
  heap_[at] = file;
  file->heap_place = static_cast<std::uint32_t>(at);
}

void WaitingFiles::rise(std::size_t at) {
  WaitingFile* file = heap_[at];
  for (; at > 0 && file->due < heap_[(at - 1) / 2]->due; at = (at - 1) / 2) {
    place(at, heap_[(at - 1) / 2]);
  }
  place(at, file);
}

void WaitingFiles::sink(std::size_t at) {
  WaitingFile* file = heap_[at];
  for (std::size_t child = 2 * at + 1; child < heap_.size(); child = 2 * at + 1) {
    if (child + 1 < heap_.size() && heap_[child + 1]->due < heap_[child]->due) ++child;
    if (file->due <= heap_[child]->due) break;
    place(at, heap_[child]);
    at = child;
  }
  place(at, file);
}

void WaitingFiles::unlink(WaitingFile& file) {
  if (file.told_late) return;
  (file.older != nullptr ? file.older->newer : oldest_) = file.newer;
  (file.newer != nullptr ? file.newer->older : newest_) = file.older;
}

}  // namespace millrace
