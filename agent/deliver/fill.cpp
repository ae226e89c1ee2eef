#include "agent/deliver/fill.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>

namespace millrace {
namespace {

constexpr std::uint64_t kPiece = 256 * 1024;

}  // namespace

Result<Written> fill(OutputFile& file, DigestedSource& source,
                     std::optional<std::uint64_t> expected) {
  // One byte more, so that the read which fills it need not be the last but one.
  const auto size = static_cast<std::size_t>(std::min(expected.value_or(kPiece), kPiece - 1) + 1);
  const auto memory = std::make_unique_for_overwrite<std::byte[]>(size);
  const std::span buffer(memory.get(), size);
  Written written;
  for (;;) {
    auto got = source.read(buffer);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    const auto piece = buffer.first(*got);
    if (auto wrote = file.write(piece); !wrote) {
      Error error = wrote.error();
      error.kind = ErrorKind::Environment;
      return with_context(std::move(error), "outbox");
    }
    written.size += *got;
  }
  written.sha256 = source.take_sha256();
  return written;
}

}  // namespace millrace
