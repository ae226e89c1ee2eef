#include <memory>

#include "agent/convert/converter.hpp"
#include "platform/base/sha256.hpp"

namespace millrace {

Result<Payload> Payload::read(std::unique_ptr<SourceReader> reader, std::stop_token stop) {
  Payload payload;
  payload.in_memory_ = reader->size() <= kInMemory;
  Sha256 hash;
  // A byte more than the file has: one that grew shows.
  const std::size_t piece =
      payload.in_memory_ ? static_cast<std::size_t>(reader->size()) + 1 : std::size_t{256} * 1024;
  auto memory = std::make_unique_for_overwrite<std::byte[]>(piece);
  for (;;) {
    if (stop.stop_requested()) return fail(ErrorKind::Stopped, "stopped while reading");
    const std::size_t at = payload.in_memory_ ? static_cast<std::size_t>(payload.size_) : 0;
    const std::span room(memory.get() + at, piece - at);
    const auto got = reader->read(room);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    payload.size_ += *got;
    if (payload.size_ > reader->size()) return fail(ErrorKind::Changed, "grew while it was read");
    hash.update(room.first(*got));
    // What was there has been read; what came since, the look at the file below tells.
    if (payload.size_ == reader->size() && *got < room.size()) break;
  }
  if (payload.size_ != reader->size()) return fail(ErrorKind::Changed, "shrank while it was read");
  if (auto same = reader->check_unchanged(); !same) return std::unexpected(same.error());
  if (payload.in_memory_) payload.bytes_ = std::move(memory);
  payload.sha256_ = to_hex(hash.finish());
  payload.reader_ = std::move(reader);
  return payload;
}

Result<Payload> Payload::linked(std::unique_ptr<SourceReader> reader) {
  const std::string name = reader->content_name();
  if (name.empty()) return fail(ErrorKind::Configuration, "files of a folder have no link");
  Payload payload;
  payload.sha256_ = to_hex(millrace::sha256(name));
  payload.size_ = reader->size();
  payload.reader_ = std::move(reader);
  return payload;
}

}  // namespace millrace
