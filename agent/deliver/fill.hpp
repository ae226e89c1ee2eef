// The step between convert and publish: pulls an answer into an output file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/deliver/outbox.hpp"
#include "agent/job/byte_source.hpp"

namespace millrace {

struct Written {
  std::string sha256;  // 64 hex digits
  std::uint64_t size = 0;
};

// Pulls `source` to its end into `file`, which is neither finished nor committed here. An error of
// the source comes back with its own kind; an error of the file is Environment and its message
// begins with "outbox: ". `expected`: how many bytes will probably come, where that is known.
// Blocks on both.
Result<Written> fill(OutputFile& file, DigestedSource& source,
                     std::optional<std::uint64_t> expected);

}  // namespace millrace
