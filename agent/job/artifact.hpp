// What convert returns and deliver pulls.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/job/byte_source.hpp"

namespace millrace {

struct Artifact {
  std::string content_type;             // as the converter said; for display only
  std::optional<std::uint64_t> length;  // bytes, where known beforehand
  // Ends only after length, framing and the target format's marks were checked; an error's kind
  // is what the retry policy acts on.
  std::unique_ptr<DigestedSource> body;
};

}  // namespace millrace
