// What was handed on lately: tells a duplicate event from a new version, and a file that was handed
// on too early. Bounded; the oldest are forgotten first.
#pragma once

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "agent/job/observation.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

struct HandedOn {
  Stamp stamp;
  TimePoint changed_at;  // the last change that was seen before
  TimePoint at;
  Evidence why = Evidence::Found;
  bool shelved = false;  // set aside rather than handed on
};

class HandedOnMemory {
 public:
  explicit HandedOnMemory(std::size_t most) : most_(most) {}
  void keep(std::size_t root, const Name& name, HandedOn what);
  const HandedOn* find(std::size_t root, const Name& name) const;
  void forget(std::size_t root, const Name& name);
  void forget_root(std::size_t root);

 private:
  struct Key {
    std::size_t root;
    Name name;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<Name>{}(key.name) ^ (key.root * 0x9e3779b97f4a7c15ULL);
    }
  };
  struct Kept {
    HandedOn what;
    std::list<const Key*>::iterator age;
  };
  using Table = std::unordered_map<Key, Kept, KeyHash>;

  Table::iterator erase(Table::iterator kept);

  std::size_t most_;
  Table table_;
  std::list<const Key*> oldest_first_;  // keys of table_
};

}  // namespace millrace
