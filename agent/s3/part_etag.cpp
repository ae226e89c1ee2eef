#include "agent/s3/part_etag.hpp"

#include <openssl/evp.h>

#include <array>

#include "platform/base/sha256.hpp"

namespace millrace {

struct PartEtag::State {
  State() : method(EVP_MD_fetch(nullptr, "MD5", nullptr)), context(EVP_MD_CTX_new()) {
    works =
        method != nullptr && context != nullptr && EVP_DigestInit_ex(context, method, nullptr) == 1;
  }
  ~State() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(method);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  EVP_MD* const method;
  EVP_MD_CTX* const context;
  bool works = false;
};

PartEtag::PartEtag() : state_(std::make_unique<State>()) {}
PartEtag::~PartEtag() = default;

void PartEtag::update(std::span<const std::byte> bytes) {
  if (state_->works)
    state_->works = EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1;
}

std::string PartEtag::finish() {
  std::array<std::byte, 16> digest{};
  auto* const out = reinterpret_cast<unsigned char*>(digest.data());
  if (!state_->works || EVP_DigestFinal_ex(state_->context, out, nullptr) != 1) return {};
  return to_hex(digest);
}

}  // namespace millrace
