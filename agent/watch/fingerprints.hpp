// A million file versions that need not be reported again, in 8 bytes each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace millrace {

// A set of 63-bit hashes with a secret seed, so that no sender can make two names collide; among a
// million versions one pair collides with a chance of 5e-8. One thread at a time.
class Fingerprints {
 public:
  explicit Fingerprints(std::uint64_t seed_a, std::uint64_t seed_b);

  void add(std::string_view name, std::string_view version);
  // Whether it is in; if so, it outlives the next sweep.
  bool holds(std::string_view name, std::string_view version);
  // Between begin_sweep and sweep everything that is neither added nor asked for is forgotten.
  void begin_sweep();
  void sweep();
  void clear();
  std::size_t size() const { return size_; }

 private:
  std::uint64_t hash(std::string_view name, std::string_view version) const;
  std::uint64_t* find(std::uint64_t key);  // its slot, or the free one where it belongs
  void rebuild(std::size_t slots, bool only_marked);

  // Open addressing, linear probing, at most two thirds full; the lowest bit says "seen in this
  // sweep", the others are the hash, zero is a free slot.
  std::vector<std::uint64_t> slots_;
  std::size_t size_ = 0;
  std::uint64_t seed_a_;
  std::uint64_t seed_b_;
};

}  // namespace millrace
