#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "platform/base/result.hpp"

namespace millrace {

// Bytes that are pulled. One thread at a time; read() may block on disk or network.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // How many bytes were put into `into`; 0 is the end, given only after everything that can be
  // checked was checked. `into` is never empty. After an error every further call fails.
  virtual Result<std::size_t> read(std::span<std::byte> into) = 0;
};

// Hashes what it hands out, so that nobody need hash it again.
class DigestedSource : public ByteSource {
 public:
  // SHA-256 in hex of all that was read. To be asked once, after the end.
  virtual std::string take_sha256() = 0;
};

}  // namespace millrace
