// SHA-256 (FIPS 180-4), streaming. Throws std::bad_alloc where memory is missing, never a wrong
// digest.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace millrace {

using Digest = std::array<std::byte, 32>;

// One digest under way. One thread at a time; never blocks.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view bytes) { update(std::as_bytes(std::span(bytes))); }
  Digest finish();  // ends this digest; the object starts a new one

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest sha256(std::span<const std::byte> bytes);
inline Digest sha256(std::string_view bytes) { return sha256(std::as_bytes(std::span(bytes))); }

std::string to_hex(std::span<const std::byte> bytes);  // lower case

}  // namespace millrace
