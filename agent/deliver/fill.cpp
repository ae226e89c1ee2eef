#include "agent/deliver/fill.hpp"

#include <cstddef>
#include <memory>
#include <span>

#include "platform/base/sha256.hpp"

namespace millrace {
namespace {

constexpr std::size_t kPiece = 256 * 1024;

}  // namespace

Result<Written> fill(OutputFile& file, ByteSource& source) {
  const auto memory = std::make_unique_for_overwrite<std::byte[]>(kPiece);
  const std::span buffer(memory.get(), kPiece);
  Sha256 hash;
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
    hash.update(piece);
    written.size += *got;
  }
  written.sha256 = to_hex(hash.finish());
  return written;
}

}  // namespace millrace
