#include "agent/deliver/part_upload.hpp"

#include <algorithm>
#include <utility>

#include "agent/deliver/content_type.hpp"
#include "agent/s3/part_etag.hpp"

namespace millrace {
namespace {

constexpr std::uint64_t kPart = 16 << 20;  // 5 MiB at least, 10,000 parts at most
constexpr std::uint64_t kMostParts = 10'000;
constexpr std::size_t kReadPiece = 256 * 1024;

std::unexpected<S3Failure> as_failure(const Error& error) {
  return std::unexpected(S3Failure{error, {}, 0});
}

struct PartHashes {
  std::string sha256;
  std::string etag;
};

Result<PartHashes> hashes_of(const UploadBody& body, Sha256& whole) {
  auto read = body.open();
  if (!read) return std::unexpected(read.error());
  Sha256 hash;
  PartEtag etag;
  std::vector<std::byte> buffer(kReadPiece);
  for (;;) {
    const auto got = (*read)(buffer);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return PartHashes{to_hex(hash.finish()), etag.finish()};
    const auto bytes = std::span(buffer).first(*got);
    hash.update(bytes);
    etag.update(bytes);
    whole.update(bytes);
  }
}

}  // namespace

UploadBody body_of_file(InputFile& file, std::uint64_t offset, std::uint64_t length,
                        std::string sha256) {
  UploadBody body{length, std::move(sha256), {}};
  body.open = [&file, offset, length]() -> Result<UploadBody::Read> {
    return UploadBody::Read([&file, at = offset, left = length](
                                std::span<std::byte> into) mutable -> Result<std::size_t> {
      if (left == 0) return std::size_t{0};
      auto got = file.read_at(at, into.first(std::min<std::uint64_t>(left, into.size())));
      if (got) at += *got, left -= *got;
      return got;
    });
  };
  return body;
}

S3Result<Stored> PartUpload::send(IfTaken if_taken) {
  if (auto taken_up = take_up(); !taken_up) return std::unexpected(taken_up.error());
  const std::uint64_t size = std::max(kPart, result_.size / kMostParts + 1);
  std::vector<Part> parts;
  Sha256 whole;
  for (std::uint64_t at = 0; at < result_.size; at += size) {
    auto part =
        send_part(static_cast<int>(parts.size()) + 1, at, std::min(size, result_.size - at), whole);
    if (!part) return std::unexpected(part.error());
    parts.push_back(std::move(*part));
  }
  if (to_hex(whole.finish()) != result_.sha256)
    return as_failure({ErrorKind::Environment, "the result changed while it was sent", 0, {}});
  auto stored = client_.complete(key_, id_, parts, if_taken, stop_);
  if (!stored) return stored;
  // The object is there; a memory that stays is found to be of no upload.
  static_cast<void>(result_.memory.forget());
  return stored;
}

S3Result<void> PartUpload::drop(S3Client& client, const std::string& key, UploadMemory& memory) {
  const auto id = memory.recall();
  if (!id) return as_failure(id.error());
  if (!*id) return {};
  if (auto gone = client.abort(key, **id, {}); !gone) return gone;
  if (const auto forgotten = memory.forget(); !forgotten) return as_failure(forgotten.error());
  return {};
}

S3Result<void> PartUpload::take_up() {
  auto known = result_.memory.recall();
  if (!known) return as_failure(known.error());
  if (!*known) return begin();
  auto parts = client_.list_parts(key_, **known, stop_);
  if (!parts && parts.error().kind == ErrorKind::Vanished) return begin();
  if (!parts) return std::unexpected(parts.error());
  id_ = std::move(**known);
  there_ = std::move(*parts);
  return {};
}

S3Result<void> PartUpload::begin() {
  auto id = client_.begin_parts(key_, {.content_type = content_type_of(key_)}, stop_);
  if (!id) return std::unexpected(id.error());
  if (const auto noted = result_.memory.remember(*id); !noted) {
    static_cast<void>(client_.abort(key_, *id, {}));
    return as_failure(noted.error());
  }
  id_ = std::move(*id);
  return {};
}

S3Result<Part> PartUpload::send_part(int number, std::uint64_t offset, std::uint64_t length,
                                     Sha256& whole) {
  UploadBody body = body_of_file(result_.file, offset, length, {});
  auto hashes = hashes_of(body, whole);
  if (!hashes) return as_failure(hashes.error());
  Part part{number, std::move(hashes->etag)};
  if (has(part, length)) return part;
  body.sha256 = std::move(hashes->sha256);
  return client_.put_part(key_, id_, number, body, stop_);
}

bool PartUpload::has(const Part& part, std::uint64_t size) const {
  return std::ranges::any_of(there_, [&](const ListedPart& there) {
    return there.part.number == part.number && there.part.etag == part.etag && there.size == size;
  });
}

}  // namespace millrace
