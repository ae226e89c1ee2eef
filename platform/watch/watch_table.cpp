#include "platform/watch/watch_table.hpp"

#include <algorithm>

namespace millrace {

WatchTable::Put WatchTable::put(int watch, int parent, std::string_view name,
                                std::uint32_t generation) {
  const auto [it, added] = nodes_.try_emplace(watch);
  Node& node = it->second;
  if (!added) {
    if (node.generation == generation) return Put::Seen;
    if (is_beneath(parent, watch)) return Put::Cyclic;
    unlink(watch, node);
  }
  node.generation = generation;
  node.name = name;
  link(watch, node, parent);
  return added ? Put::Added : Put::Moved;
}

std::string WatchTable::path(int watch) const {
  std::vector<std::string_view> parts;
  for (auto it = nodes_.find(watch); it != nodes_.end() && it->second.parent != kNone;
       it = nodes_.find(it->second.parent)) {
    parts.push_back(it->second.name);
  }
  std::string path;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (!path.empty()) path += '/';
    path += *part;
  }
  return path;
}

int WatchTable::depth(int watch) const {
  int depth = 0;
  for (auto it = nodes_.find(watch); it != nodes_.end() && it->second.parent != kNone;
       it = nodes_.find(it->second.parent)) {
    ++depth;
  }
  return depth;
}

std::optional<int> WatchTable::child(int parent, std::string_view name) const {
  const auto it = nodes_.find(parent);
  if (it == nodes_.end()) return std::nullopt;
  for (int child = it->second.first_child; child != kNone;) {
    const Node& node = nodes_.at(child);
    if (node.name == name) return child;
    child = node.next;
  }
  return std::nullopt;
}

std::vector<int> WatchTable::subtree(int watch) const {
  std::vector<int> found;
  if (!holds(watch)) return found;
  found.push_back(watch);
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (int child = nodes_.at(found[i]).first_child; child != kNone;
         child = nodes_.at(child).next) {
      found.push_back(child);
    }
  }
  std::reverse(found.begin(), found.end());
  return found;
}

void WatchTable::erase(int watch) {
  for (const int gone : subtree(watch)) {
    const auto it = nodes_.find(gone);
    unlink(gone, it->second);
    nodes_.erase(it);
  }
}

std::vector<int> WatchTable::not_of(std::uint32_t generation) const {
  std::vector<int> found;
  for (const auto& [watch, node] : nodes_) {
    if (node.generation != generation) found.push_back(watch);
  }
  return found;
}

bool WatchTable::is_beneath(int watch, int ancestor) const {
  for (auto it = nodes_.find(watch); it != nodes_.end(); it = nodes_.find(it->second.parent)) {
    if (it->first == ancestor) return true;
  }
  return false;
}

void WatchTable::link(int watch, Node& node, int parent) {
  node.parent = parent;
  node.previous = kNone;
  node.next = kNone;
  const auto above = nodes_.find(parent);
  if (above == nodes_.end()) return;
  node.next = above->second.first_child;
  if (node.next != kNone) nodes_.at(node.next).previous = watch;
  above->second.first_child = watch;
}

void WatchTable::unlink(int watch, Node& node) {
  if (node.next != kNone) nodes_.at(node.next).previous = node.previous;
  if (node.previous != kNone) {
    nodes_.at(node.previous).next = node.next;
  } else if (const auto above = nodes_.find(node.parent);
             above != nodes_.end() && above->second.first_child == watch) {
    above->second.first_child = node.next;
  }
  node.next = kNone;
  node.previous = kNone;
}

}  // namespace millrace
