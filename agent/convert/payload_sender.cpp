#include "agent/convert/payload_sender.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "platform/base/sha256.hpp"

namespace millrace {
namespace {

constexpr std::size_t kWithheld = 64 * 1024;
constexpr std::size_t kBlock = 256 * 1024;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Holds the last `keep` bytes back until release().
class LateSender {
 public:
  LateSender(HttpExchange& exchange, std::size_t keep) : exchange_(exchange), keep_(keep) {}

  Result<Keep> send(std::span<const std::byte> bytes) {
    if (keep_ == 0) return exchange_.send(bytes);
    held_.insert(held_.end(), bytes.begin(), bytes.end());
    if (held_.size() <= keep_) return Keep::Going;
    const std::size_t ready = held_.size() - keep_;
    const auto kept = exchange_.send(std::span(held_).first(ready));
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(ready));
    return kept;
  }
  Result<Keep> release() {
    if (held_.empty()) return Keep::Going;
    return exchange_.send(held_);
  }

 private:
  HttpExchange& exchange_;
  const std::size_t keep_;
  std::vector<std::byte> held_;
};

// Reads the file again from its first byte, and hashes what goes out.
Result<Keep> send_again(LateSender& sender, Payload& payload) {
  SourceReader& reader = payload.reader();
  if (auto begun = reader.rewind(); !begun) return std::unexpected(begun.error());
  Sha256 hash;
  std::vector<std::byte> block(kBlock);
  for (std::uint64_t left = payload.size(); left > 0;) {
    const auto got = reader.read(std::span(block).first(std::min<std::uint64_t>(left, kBlock)));
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return fail(ErrorKind::Changed, "shrank while it was sent");
    const auto part = std::span<const std::byte>(block).first(*got);
    hash.update(part);
    left -= *got;
    const auto kept = sender.send(part);
    if (!kept || *kept == Keep::Enough) return kept;
  }
  if (to_hex(hash.finish()) != payload.sha256()) {
    return fail(ErrorKind::Changed, "its bytes changed while they were sent");
  }
  return Keep::Going;
}

Result<Keep> send_content(LateSender& sender, Payload& payload) {
  // These bytes are the ones that were hashed.
  if (const auto bytes = payload.bytes()) return sender.send(*bytes);
  return send_again(sender, payload);
}

Result<Keep> send_parts(HttpExchange& exchange, const RequestFrame& frame, Payload& payload) {
  if (!frame.head.empty()) {
    const auto kept = exchange.send(bytes_of(frame.head));
    if (!kept || *kept == Keep::Enough) return kept;
  }
  LateSender sender(exchange, frame.tail.empty() ? kWithheld : 0);
  if (frame.carries_file) {
    const auto kept = send_content(sender, payload);
    if (!kept || *kept == Keep::Enough) return kept;
  }
  // A link was made of what is there now.
  if (frame.carries_file)
    if (auto same = payload.reader().check_unchanged(); !same) return std::unexpected(same.error());
  if (auto kept = sender.release(); !kept || *kept == Keep::Enough) return kept;
  if (frame.tail.empty()) return Keep::Going;
  return exchange.send(bytes_of(frame.tail));
}

}  // namespace

Result<void> send_request(HttpExchange& exchange, const RequestFrame& frame, Payload& payload) {
  if (const auto kept = send_parts(exchange, frame, payload); !kept) {
    return std::unexpected(kept.error());
  }
  return {};
}

}  // namespace millrace
