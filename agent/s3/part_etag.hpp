// The ETag that most stores give a part: the MD5 of its bytes, in hex.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace millrace {

// One part. One thread at a time; never blocks.
class PartEtag {
 public:
  PartEtag();
  ~PartEtag();
  PartEtag(const PartEtag&) = delete;
  PartEtag& operator=(const PartEtag&) = delete;

  void update(std::span<const std::byte> bytes);
  // Once. Empty where this machine has no MD5; then no ETag tells anything of bytes.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
