// Puts a file of this machine into a bucket, whole or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "agent/deliver/outbox.hpp"
#include "agent/deliver/part_upload.hpp"
#include "agent/s3/s3_client.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {

// Thread-safe; calls block on the network.
class ObjectUpload {
 public:
  ObjectUpload(std::shared_ptr<S3Client> client, std::string probe_key, std::uint64_t parts_above,
               std::stop_token stop)
      : client_(std::move(client)),
        probe_key_(std::move(probe_key)),
        parts_above_(parts_above),
        stop_(std::move(stop)) {}

  // Finds out once whether the store takes objects and keeps conditions, by writing one and
  // removing it. An error is of the bucket as a whole: it is away, or it is not for us.
  S3Result<bool> keeps_conditions() EXCLUDES(mutex_);
  // Nothing if there is no such object.
  S3Result<std::optional<OutputIdentity>> find(const std::string& key);
  // Exists if another object is there than `replaces`, or any where there is no `replaces`; unless
  // it holds these very bytes, as after a request whose answer was lost. What was sent in parts
  // when it failed is gone on with by another put() of the file, but after Exists and Input, which
  // abort.
  S3Result<OutputIdentity> put(const std::string& key, const LocalResult& result,
                               const std::optional<OutputIdentity>& replaces);
  // What lies there, if it is these bytes: it is read.
  S3Result<std::optional<OutputIdentity>> find_these(const std::string& key, std::uint64_t size,
                                                     const std::string& sha256);
  // Aborts the upload in parts that is remembered, if any.
  S3Result<void> drop_parts(const std::string& key, UploadMemory& memory) {
    return PartUpload::drop(*client_, key, memory);
  }
  // What is remembered became the object that is there, or is nobody's any more.
  void end_parts(const std::string& key, UploadMemory& memory, const OutputIdentity& there);

 private:
  S3Result<OutputIdentity> send(const std::string& key, const LocalResult& result, bool replace);
  S3Result<OutputIdentity> send_looking(const std::string& key, const LocalResult& result,
                                        bool replace);
  S3Result<Stored> send_bytes(const std::string& key, const LocalResult& result, IfTaken if_taken);
  S3Result<bool> probe();

  const std::shared_ptr<S3Client> client_;
  const std::string probe_key_;
  const std::uint64_t parts_above_;
  const std::stop_token stop_;
  Mutex mutex_;
  CondVar probed_;
  bool probing_ GUARDED_BY(mutex_) = false;
  std::optional<S3Result<bool>> found_ GUARDED_BY(mutex_);  // by the last probe
};

}  // namespace millrace
