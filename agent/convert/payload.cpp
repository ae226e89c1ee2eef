#include <memory>

#include "agent/convert/converter.hpp"
#include "platform/base/sha256.hpp"

namespace millrace {

Result<Payload> Payload::read(std::unique_ptr<SourceReader> reader, std::stop_token stop) {
  Payload payload;
  payload.in_memory_ = reader->size() <= kInMemory;
  if (payload.in_memory_) payload.bytes_.reserve(reader->size());
  Sha256 hash;
  const std::size_t piece = payload.in_memory_ ? 64 * 1024 : 256 * 1024;
  const auto memory = std::make_unique_for_overwrite<std::byte[]>(piece);
  const std::span buffer(memory.get(), piece);
  for (;;) {
    if (stop.stop_requested()) return fail(ErrorKind::Stopped, "stopped while reading");
    const auto got = reader->read(buffer);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    payload.size_ += *got;
    if (payload.size_ > reader->size()) return fail(ErrorKind::Changed, "grew while it was read");
    const auto part = buffer.first(*got);
    hash.update(part);
    if (payload.in_memory_) {
      payload.bytes_.append(reinterpret_cast<const char*>(part.data()), part.size());
    }
  }
  if (payload.size_ != reader->size()) return fail(ErrorKind::Changed, "shrank while it was read");
  if (auto same = reader->check_unchanged(); !same) return std::unexpected(same.error());
  payload.sha256_ = to_hex(hash.finish());
  payload.reader_ = std::move(reader);
  return payload;
}

}  // namespace millrace
