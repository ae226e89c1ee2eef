// Sends a large file into a bucket in parts, and goes on with an upload that was cut off.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/s3/s3_client.hpp"
#include "platform/base/sha256.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

// Knows over a restart by which upload one file is being sent in parts. One thread at a time.
class UploadMemory {
 public:
  virtual ~UploadMemory() = default;
  virtual Result<std::optional<std::string>> recall() = 0;  // the upload's id
  // Durable when it returns.
  virtual Result<void> remember(const std::string& upload_id) = 0;
  virtual Result<void> forget() = 0;
};

struct LocalResult {
  InputFile& file;
  std::uint64_t size = 0;
  std::string sha256;  // hex
  UploadMemory& memory;
};

// The bytes of the file from `offset` on, `length` of them, with their SHA-256 in hex.
UploadBody body_of_file(InputFile& file, std::uint64_t offset, std::uint64_t length,
                        std::string sha256);

// The upload's id is remembered before the first part is sent. Whoever sends the file next asks
// which parts the store has, and sends the others: one counts as there if its ETag is the MD5 of
// our bytes, so that where ETags are something else, all are sent again. Calls block.
class PartUpload {
 public:
  PartUpload(S3Client& client, std::string key, const LocalResult& result, std::stop_token stop)
      : client_(client), key_(std::move(key)), result_(result), stop_(std::move(stop)) {}

  // Exists, with Refuse, if an object is there when all parts are. After a failure the parts stay,
  // for another send() or for drop().
  S3Result<Stored> send(IfTaken if_taken);
  // Aborts the upload that is remembered, if any: parts that nobody completes cost. It may be asked
  // for although we are to stop.
  static S3Result<void> drop(S3Client& client, const std::string& key, UploadMemory& memory);

 private:
  S3Result<void> take_up();
  S3Result<void> begin();
  S3Result<Part> send_part(int number, std::uint64_t offset, std::uint64_t length, Sha256& whole);
  bool has(const Part& part, std::uint64_t size) const;

  S3Client& client_;
  const std::string key_;
  const LocalResult& result_;
  const std::stop_token stop_;
  std::string id_;
  std::vector<ListedPart> there_;  // by number
};

}  // namespace millrace
