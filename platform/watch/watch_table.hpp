// Which watch descriptor stands for which directory. Plain data: no system call, one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace millrace {

// A tree of names, about 100 bytes a directory; a path is put together when it is asked for, so
// that a renamed directory costs one entry.
class WatchTable {
 public:
  static constexpr int kNone = -1;

  enum class Put {
    Added,   // was not known
    Moved,   // was known, possibly elsewhere; stands here now
    Seen,    // was met in this generation already: a loop, or a second way to one directory
    Cyclic,  // would stand beneath itself: the table is out of date
  };

  // The root has parent kNone and an empty name. Every walk over the tree has a generation.
  Put put(int watch, int parent, std::string_view name, std::uint32_t generation);
  bool holds(int watch) const { return nodes_.contains(watch); }
  // Relative to the root, "" for the root itself.
  std::string path(int watch) const;
  int depth(int watch) const;
  std::optional<int> child(int parent, std::string_view name) const;
  // `watch` and everything beneath, children first.
  std::vector<int> subtree(int watch) const;
  // Forgets one directory; what is beneath it must be gone already, or goes with it.
  void erase(int watch);
  std::vector<int> not_of(std::uint32_t generation) const;
  std::size_t size() const { return nodes_.size(); }

 private:
  struct Node {
    int parent = kNone;
    int first_child = kNone;
    int next = kNone;
    int previous = kNone;
    std::uint32_t generation = 0;
    std::string name;
  };

  bool is_beneath(int watch, int ancestor) const;
  void link(int watch, Node& node, int parent);
  void unlink(int watch, Node& node);

  std::unordered_map<int, Node> nodes_;
};

}  // namespace millrace
