#include "platform/base/sha256.hpp"

#include <openssl/evp.h>

#include <new>

namespace millrace {

struct Sha256::State {
  // EVP_MD_fetch costs a lookup with locks; one fetched method serves every digest.
  static const EVP_MD* method() {
    static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return fetched;
  }
  // Nothing but a failed allocation makes these fail, and a digest that is wrong in silence would
  // be a name for any bytes.
  static void must(int done) {
    if (done != 1) throw std::bad_alloc();
  }
  State() : context(EVP_MD_CTX_new()) {
    must(context != nullptr && method() != nullptr ? 1 : 0);
    must(EVP_DigestInit_ex(context, method(), nullptr));
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  EVP_MD_CTX* context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  State::must(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()));
}

Digest Sha256::finish() {
  Digest digest{};
  auto* const out = reinterpret_cast<unsigned char*>(digest.data());
  State::must(EVP_DigestFinal_ex(state_->context, out, nullptr));
  State::must(EVP_DigestInit_ex(state_->context, State::method(), nullptr));
  return digest;
}

Digest sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string to_hex(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    text += kDigits[std::to_integer<unsigned>(b) >> 4];
    text += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

}  // namespace millrace
