#include "agent/watch/fingerprints.hpp"

#include <bit>

namespace millrace {
namespace {

constexpr std::uint64_t kSeen = 1;
constexpr std::size_t kFewest = 64;

// SipHash-1-3 (Aumasson and Bernstein, 2012; one and three rounds as in hash tables of Rust).
class SipHash {
 public:
  SipHash(std::uint64_t a, std::uint64_t b)
      : v0_(a ^ 0x736f6d6570736575ULL),
        v1_(b ^ 0x646f72616e646f6dULL),
        v2_(a ^ 0x6c7967656e657261ULL),
        v3_(b ^ 0x7465646279746573ULL) {}

  void update(std::string_view bytes) {
    for (const char c : bytes) byte(static_cast<unsigned char>(c));
  }
  void byte(unsigned char c) {
    word_ |= std::uint64_t{c} << (8 * (length_ & 7));
    if ((++length_ & 7) == 0) absorb();
  }
  std::uint64_t finish() {
    word_ |= length_ << 56;
    absorb();
    v2_ ^= 0xff;
    for (int i = 0; i < 3; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void absorb() {
    v3_ ^= word_;
    round();
    v0_ ^= word_;
    word_ = 0;
  }
  void round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_, v1_, v2_, v3_;
  std::uint64_t word_ = 0;
  std::uint64_t length_ = 0;
};

}  // namespace

Fingerprints::Fingerprints(std::uint64_t seed_a, std::uint64_t seed_b)
    : slots_(kFewest), seed_a_(seed_a), seed_b_(seed_b) {}

std::uint64_t Fingerprints::hash(std::string_view name, std::string_view version) const {
  SipHash sip(seed_a_, seed_b_);
  sip.update(name);
  sip.byte(0);  // no name holds it
  sip.update(version);
  const std::uint64_t key = sip.finish() & ~kSeen;
  return key == 0 ? 2 : key;
}

std::uint64_t* Fingerprints::find(std::uint64_t key) {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = (key >> 1) & mask;; i = (i + 1) & mask) {
    if (slots_[i] == 0 || (slots_[i] & ~kSeen) == key) return &slots_[i];
  }
}

void Fingerprints::add(std::string_view name, std::string_view version) {
  const std::uint64_t key = hash(name, version);
  std::uint64_t* slot = find(key);
  if (*slot == 0) {
    if ((size_ + 1) * 3 > slots_.size() * 2) {
      rebuild(slots_.size() * 2, false);
      slot = find(key);
    }
    ++size_;
  }
  *slot = key | kSeen;
}

bool Fingerprints::holds(std::string_view name, std::string_view version) {
  std::uint64_t* slot = find(hash(name, version));
  if (*slot == 0) return false;
  *slot |= kSeen;
  return true;
}

void Fingerprints::begin_sweep() {
  for (std::uint64_t& slot : slots_) slot &= ~kSeen;
}

void Fingerprints::sweep() {
  std::size_t kept = 0;
  for (const std::uint64_t slot : slots_) kept += slot & kSeen;
  if (kept == size_) return;
  std::size_t slots = kFewest;
  while ((kept + 1) * 3 > slots * 2) slots *= 2;
  rebuild(slots, true);
}

void Fingerprints::clear() {
  slots_.assign(kFewest, 0);
  slots_.shrink_to_fit();
  size_ = 0;
}

void Fingerprints::rebuild(std::size_t slots, bool only_marked) {
  std::vector<std::uint64_t> old(slots);
  old.swap(slots_);
  size_ = 0;
  for (const std::uint64_t slot : old) {
    if (slot == 0 || (only_marked && (slot & kSeen) == 0)) continue;
    *find(slot & ~kSeen) = slot;
    ++size_;
  }
}

}  // namespace millrace
