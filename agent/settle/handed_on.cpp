#include "agent/settle/handed_on.hpp"

namespace millrace {

void HandedOnMemory::keep(std::size_t root, const Name& name, HandedOn what) {
  forget(root, name);
  if (table_.size() >= most_) erase(table_.find(*oldest_first_.front()));
  const auto kept = table_.emplace(Key{root, name}, Kept{what, {}}).first;
  kept->second.age = oldest_first_.insert(oldest_first_.end(), &kept->first);
}

const HandedOn* HandedOnMemory::find(std::size_t root, const Name& name) const {
  const auto kept = table_.find(Key{root, name});
  return kept == table_.end() ? nullptr : &kept->second.what;
}

void HandedOnMemory::forget(std::size_t root, const Name& name) {
  if (const auto kept = table_.find(Key{root, name}); kept != table_.end()) erase(kept);
}

void HandedOnMemory::forget_root(std::size_t root) {
  for (auto kept = table_.begin(); kept != table_.end();) {
    kept = kept->first.root == root ? erase(kept) : std::next(kept);
  }
}

HandedOnMemory::Table::iterator HandedOnMemory::erase(Table::iterator kept) {
  oldest_first_.erase(kept->second.age);
  return table_.erase(kept);
}

}  // namespace millrace
