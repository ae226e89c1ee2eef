// Turns the bytes of a source into the bytes of a target format, through somebody's API.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "agent/job/artifact.hpp"
#include "agent/job/source.hpp"
#include "agent/transfer/http_client.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

using ConvertOptions = std::map<std::string, std::string>;  // sorted: part of the key

// A source that was read once and hashed. Up to 1 MiB its bytes are kept; a larger one is read
// again from the same open file while it is sent, and hashed again on the way. Or one that is not
// read here at all, since the converter gets a link to it.
class Payload {
 public:
  static constexpr std::uint64_t kInMemory = 1 << 20;
  // Reads everything once. Changed if the file did not hold still meanwhile.
  static Result<Payload> read(std::unique_ptr<SourceReader> reader, std::stop_token stop);
  // Configuration where there are no links.
  static Result<Payload> linked(std::unique_ptr<SourceReader> reader);

  // Hex; of a linked one the hash of its content_name(), which no bytes of a file share.
  const std::string& sha256() const { return sha256_; }
  std::uint64_t size() const { return size_; }
  // All of them, or nothing if they are to be read again.
  std::optional<std::span<const std::byte>> bytes() const {
    if (!in_memory_) return std::nullopt;
    return std::span(bytes_.get(), static_cast<std::size_t>(size_));
  }
  SourceReader& reader() { return *reader_; }

 private:
  Payload() = default;
  std::unique_ptr<SourceReader> reader_;
  std::unique_ptr<std::byte[]> bytes_;
  std::string sha256_;
  std::uint64_t size_ = 0;
  bool in_memory_ = false;
};

struct ConvertRequest {
  Name source_name = {};    // for the extension only
  std::string target = {};  // "webp"
  ConvertOptions options = {};
  std::string key = {};  // Idempotency-Key
  // Ends the conversion (Stopped) unless the whole request is sent: an answer under way is paid.
  std::stop_token stop_uploading = {};
  BeforeSending before_sending = {};  // not called if it fails before there is a request to send
  std::filesystem::path outbox = {};  // where the result will lie; empty: nobody needs to know
};

// What the answer said about limits; fed to the account's gate.
struct RateNews {
  std::optional<std::int64_t> quota_remaining;  // X-CTF-Remaining
  std::optional<std::int64_t> quota_limit;
  std::optional<std::int64_t> window_remaining;  // X-RateLimit-Remaining
  std::optional<std::int64_t> window_limit;
  std::optional<Duration> window_reset;
};

// Shared by a reply and its body, because only the body's end tells whether it is believed.
struct AnswerVerdict {
  // SHA-256 in hex of a whole answer that is not believed; empty while there is no such answer.
  // The same hash twice under one key is final (ErrorKind::Converter); the caller compares.
  std::string bad_sha256;
};

struct ConvertReply {
  // The errors of the artifact's body and these have the same kinds.
  Result<Artifact> artifact;
  // Never null. Used by the worker's thread only; shared, since the body may outlive the reply.
  std::shared_ptr<const AnswerVerdict> verdict;
  RateNews news;
  int http_status = 0;
  std::uint64_t bytes_sent = 0;
  bool whole_request_sent = false;  // may have been billed, whatever came back
};

// Thread-safe; convert() runs on a worker and blocks.
class Converter {
 public:
  virtual ~Converter() = default;
  // The account that is billed: part of the key, and what a gate is kept for.
  virtual const std::string& account() const = 0;
  // The Idempotency-Key for these bytes: 32 hex digits.
  virtual std::string key_for(const std::string& content_sha256, const std::string& target,
                              const ConvertOptions& options) const = 0;
  virtual ConvertReply convert(const ConvertRequest& request, Payload& payload,
                               std::stop_token stop) = 0;
};

}  // namespace millrace
