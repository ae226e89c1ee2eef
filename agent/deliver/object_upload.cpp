#include "agent/deliver/object_upload.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/deliver/content_type.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::size_t kHashPiece = 256 * 1024;

std::unexpected<S3Failure> refuse(ErrorKind kind, std::string message) {
  return std::unexpected(S3Failure{Error{kind, std::move(message), 0, {}}, {}, 0});
}

std::unexpected<S3Failure> taken(const std::string& key) {
  return refuse(ErrorKind::Exists, printable(key, 300) + " was put there by somebody else");
}

// Whoever asks again gets another answer only for what is neither of these.
bool is_final(const S3Failure& failed) {
  return failed.kind == ErrorKind::Exists || failed.kind == ErrorKind::Input;
}

}  // namespace

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
    if (replace && **there != *replaces) {
      static_cast<void>(drop_parts(key, result.memory));
      return taken(key);
    }
  }
  auto sent = send(key, result, replace);
  if (sent || sent.error().kind == ErrorKind::Stopped) return sent;
  // The answer may be lost, or be about an earlier try of the same request.
  auto ours = find_these(key, result.size, result.sha256);
  if (ours && *ours) {
    end_parts(key, result.memory, **ours);
    return std::move(**ours);
  }
  // Whether the name is taken by others is not known yet, and a stop is none of our errors.
  if (!ours && (sent.error().kind == ErrorKind::Exists || ours.error().kind == ErrorKind::Stopped))
    return std::unexpected(ours.error());
  if (ours && is_final(sent.error())) static_cast<void>(drop_parts(key, result.memory));
  return sent;
}

// An object of parts is what the upload became. It is not aborted then: Swift still knows a
// completed upload, and its parts are the object.
void ObjectUpload::end_parts(const std::string& key, UploadMemory& memory,
                             const OutputIdentity& there) {
  if (there.version.find('-') != std::string::npos)
    static_cast<void>(memory.forget());
  else
    static_cast<void>(drop_parts(key, memory));
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
  // Parts take long, so that PartUpload looks once more before it completes them.
  const auto stored = result.size > parts_above_
                          ? PartUpload(*client_, key, result, stop_)
                                .send(replace ? IfTaken::Replace : IfTaken::Refuse)
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
