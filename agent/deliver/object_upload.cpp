#include "agent/deliver/object_upload.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::uint64_t kPart = 16 << 20;  // 5 MiB at least, 10,000 parts at most
constexpr std::uint64_t kMostParts = 10'000;
constexpr std::size_t kHashPiece = 256 * 1024;

// https://www.iana.org/assignments/media-types/
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kContentTypes{{
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"csv", "text/csv"},
    {"gif", "image/gif"},
    {"heic", "image/heic"},
    {"html", "text/html"},
    {"ico", "image/vnd.microsoft.icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"json", "application/json"},
    {"jxl", "image/jxl"},
    {"mp4", "video/mp4"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"webp", "image/webp"},
}};

std::unexpected<S3Failure> refuse(ErrorKind kind, std::string message) {
  return std::unexpected(S3Failure{Error{kind, std::move(message), 0, {}}, {}, 0});
}

std::unexpected<S3Failure> taken(const std::string& key) {
  return refuse(ErrorKind::Exists, printable(key, 300) + " was put there by somebody else");
}

// The bytes from `offset` on, `length` of them.
UploadBody body_of_file(InputFile& file, std::uint64_t offset, std::uint64_t length,
                        std::string hash) {
  UploadBody body{length, std::move(hash), {}};
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

Result<std::string> hash_of(const UploadBody& body, Sha256& whole) {
  auto read = body.open();
  if (!read) return std::unexpected(read.error());
  Sha256 hash;
  std::vector<std::byte> buffer(kHashPiece);
  for (;;) {
    const auto got = (*read)(buffer);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return to_hex(hash.finish());
    hash.update(std::span(buffer).first(*got));
    whole.update(std::span(buffer).first(*got));
  }
}

}  // namespace

std::string content_type_of(const std::string& key) {
  const std::string extension = to_lower_ascii(key.substr(key.rfind('.') + 1));
  const auto* known = std::ranges::find(kContentTypes, extension,
                                        &std::pair<std::string_view, std::string_view>::first);
  return known == kContentTypes.end() ? std::string() : std::string(known->second);
}

S3Result<std::optional<OutputIdentity>> ObjectUpload::find(const std::string& key) {
  const auto info = client_->head(key, {}, stop_);
  if (info) return OutputIdentity{info->size, info->etag};
  if (info.error().kind == ErrorKind::Vanished) return std::nullopt;
  return std::unexpected(info.error());
}

S3Result<std::optional<OutputIdentity>> ObjectUpload::find_these(const std::string& key,
                                                                 std::uint64_t size,
                                                                 const std::string& sha256) {
  auto there = find(key);
  if (!there) return std::unexpected(there.error());
  if (!*there || (*there)->size != size) return std::nullopt;
  auto object = client_->get(key, {.if_match = (*there)->version}, stop_);
  if (!object) return std::unexpected(object.error());
  Sha256 hash;
  std::vector<std::byte> buffer(kHashPiece);
  for (;;) {
    const auto got = object->read(buffer);
    if (!got) return refuse(got.error().kind, got.error().message);
    if (*got == 0) break;
    hash.update(std::span(buffer).first(*got));
  }
  if (to_hex(hash.finish()) != sha256) return std::nullopt;
  return std::move(**there);
}

S3Result<OutputIdentity> ObjectUpload::put(const std::string& key, const LocalResult& result,
                                           const std::optional<OutputIdentity>& replaces) {
  bool replace = false;
  if (replaces) {
    const auto there = find(key);
    if (!there) return std::unexpected(there.error());
    // A version of ours that somebody removed needs no replacing.
    replace = there->has_value();
    if (replace && **there != *replaces) return taken(key);
  }
  auto sent = send(key, result, replace);
  if (sent || sent.error().kind == ErrorKind::Stopped) return sent;
  // The answer may be lost, or be about an earlier try of the same request.
  const auto ours = find_these(key, result.size, result.sha256);
  if (ours && *ours) return **ours;
  return sent;
}

S3Result<OutputIdentity> ObjectUpload::send(const std::string& key, const LocalResult& result,
                                            bool replace) {
  const auto certain = keeps_conditions();
  if (!certain) return std::unexpected(certain.error());
  if (replace || !*certain || result.size > parts_above_) return send_looking(key, result, replace);
  const auto stored = send_bytes(key, result, IfTaken::Refuse);
  if (!stored) return std::unexpected(stored.error());
  return OutputIdentity{result.size, stored->etag};
}

S3Result<OutputIdentity> ObjectUpload::send_looking(const std::string& key,
                                                    const LocalResult& result, bool replace) {
  if (!replace) {
    const auto before = find(key);
    if (!before) return std::unexpected(before.error());
    if (*before) return taken(key);
  }
  const auto stored = result.size > parts_above_ ? send_parts(key, result)
                                                 : send_bytes(key, result, IfTaken::Replace);
  if (!stored) return std::unexpected(stored.error());
  const auto after = find(key);
  if (!after) return std::unexpected(after.error());
  if (!*after || (*after)->version != stored->etag) return taken(key);
  return **after;
}

S3Result<Stored> ObjectUpload::send_bytes(const std::string& key, const LocalResult& result,
                                          IfTaken if_taken) {
  return client_->put(key, body_of_file(result.file, 0, result.size, result.sha256),
                      {.if_taken = if_taken, .content_type = content_type_of(key)}, stop_);
}

S3Result<Stored> ObjectUpload::send_parts(const std::string& key, const LocalResult& result) {
  const auto id = client_->begin_parts(key, {.content_type = content_type_of(key)}, stop_);
  if (!id) return std::unexpected(id.error());
  const std::uint64_t size = std::max(kPart, result.size / kMostParts + 1);
  std::vector<Part> parts;
  S3Result<Stored> stored;
  Sha256 whole;
  for (std::uint64_t at = 0; at < result.size && stored; at += size) {
    UploadBody body = body_of_file(result.file, at, std::min(size, result.size - at), {});
    auto hash = hash_of(body, whole);
    if (!hash) {
      stored = refuse(hash.error().kind, hash.error().message);
      break;
    }
    body.sha256 = std::move(*hash);
    auto part = client_->put_part(key, *id, static_cast<int>(parts.size()) + 1, body, stop_);
    if (part) parts.push_back(std::move(*part));
    if (!part) stored = std::unexpected(part.error());
  }
  if (stored && to_hex(whole.finish()) != result.sha256)
    stored = refuse(ErrorKind::Environment, "the result changed while it was sent");
  if (stored) stored = client_->complete(key, *id, parts, IfTaken::Replace, stop_);
  // Parts that nobody completes cost. The abort may be asked for although we are to stop.
  if (!stored) static_cast<void>(client_->abort(key, *id, {}));
  return stored;
}

// One caller probes: another's probe would take the object away from under it. The others wait for
// what it finds.
S3Result<bool> ObjectUpload::keeps_conditions() {
  {
    MutexLock lock(mutex_);
    const bool another_probes = probing_;
    while (probing_) probed_.wait(lock);
    if (found_ && (another_probes || *found_)) return *found_;
    probing_ = true;
  }
  auto found = probe();
  const MutexLock lock(mutex_);
  found_ = found;
  probing_ = false;
  probed_.notify_all();
  return found;
}

S3Result<bool> ObjectUpload::probe() {
  const auto first =
      client_->put(probe_key_, body_of("probe"), {.if_taken = IfTaken::Replace}, stop_);
  if (!first) return std::unexpected(first.error());
  const auto second =
      client_->put(probe_key_, body_of("probe"), {.if_taken = IfTaken::Refuse}, stop_);
  S3Result<bool> keeps = false;
  if (!second && second.error().kind == ErrorKind::Exists) {
    keeps = true;
  } else if (!second && second.error().status != 501) {
    keeps = std::unexpected(second.error());
  }
  if (const auto gone = client_->remove(probe_key_, {}, stop_); !gone && keeps)
    return std::unexpected(gone.error());
  return keeps;
}

}  // namespace millrace
