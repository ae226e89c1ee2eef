// Whether a file of a known type has the end that its type asks for. Reads a few kilobytes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "agent/job/observation.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// Reads up to into.size() bytes at an offset; 0 is the end.
using ReadAt = std::function<Result<std::size_t>(std::uint64_t offset, std::span<std::byte> into)>;

// The type is told by the first bytes; by the name only if they tell nothing, and then the mark is
// Missing (a file of zeros that is still to be filled). JPEG, PNG, GIF, PDF, the ZIP family, TIFF
// and MP4 have marks; for all others NotExpected. Fails as `read` fails.
Result<EndMark> end_mark_of(std::string_view name, std::uint64_t size, const ReadAt& read);

}  // namespace millrace
