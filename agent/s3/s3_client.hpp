// What is done with the objects of one bucket.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "agent/s3/listing.hpp"
#include "agent/s3/s3_sender.hpp"

namespace millrace {

struct ObjectInfo {
  std::uint64_t size = 0;  // bytes of the whole object
  std::string etag;        // without quotes
  std::string version_id;  // empty where the bucket keeps no versions
  std::string content_type;
  std::optional<WallTime> modified;
};

// The body of an object under way. One thread at a time; read() blocks.
class OpenObject {
 public:
  OpenObject(ObjectInfo info, std::unique_ptr<HttpExchange> exchange)
      : info_(std::move(info)), exchange_(std::move(exchange)) {}
  const ObjectInfo& info() const { return info_; }
  // 0 at the end, which comes only after every byte that was declared.
  Result<std::size_t> read(std::span<std::byte> into) { return exchange_->read(into); }

 private:
  ObjectInfo info_;
  std::unique_ptr<HttpExchange> exchange_;
};

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // at least 1
};

struct ReadOptions {
  std::string if_match = {};    // ETag without quotes; another object is Changed
  std::string version_id = {};  // empty: the latest
  std::optional<ByteRange> range = {};
};

enum class IfTaken { Replace, Refuse };  // Refuse: Exists, and what is there stays

struct PutOptions {
  IfTaken if_taken = IfTaken::Refuse;
  std::string content_type = {};  // empty: the server chooses
};

struct CopyOptions {
  std::string if_match = {};  // of the source; another one is Changed
  std::string source_version_id = {};
  IfTaken if_taken = IfTaken::Refuse;
};

struct Stored {
  std::string etag;        // without quotes
  std::string version_id;  // empty where the bucket keeps no versions
};

struct Part {
  int number = 1;  // 1 to 10,000
  std::string etag;
};

struct ListedPart {
  Part part;
  std::uint64_t size = 0;  // bytes
};

struct ListOptions {
  std::string prefix = {};
  std::string start_after = {};  // a key; the first page begins behind it
  std::string token = {};        // of the page before; empty for the first
  int max_keys = 1000;           // 1 to 1,000
};

// Thread-safe; calls block on the network and end with Stopped soon after `stop` fires. Each is one
// request, which S3Sender sends again where that helps. Kinds beside those of error_of_s3():
// Changed and Exists as said above.
//
// A server that does not know a condition says NotImplemented (501, Configuration), or says nothing
// and does not keep it, as Ceph 16 with the conditions of copies and removals. So copy(),
// complete() and remove() also look before (and copy() once more after) they act, and are sent
// again without a condition that is 501: where the server keeps the condition, that is certain, and
// else a writer in that moment may be missed. put() does not look: whether its condition is kept is
// for the caller to find out, once for a bucket.
class S3Client {
 public:
  S3Client(HttpClient& http, CredentialsProvider& keys, const Clock& clock, BucketPlace place)
      : sender_(http, keys, clock, std::move(place)) {}
  const BucketPlace& place() const { return sender_.place(); }

  // Vanished also where it is the bucket that is not there: an answer to HEAD has no words.
  S3Result<ObjectInfo> head(const std::string& key, const std::string& version_id,
                            std::stop_token stop);
  // The same, but a bucket that is not there is Environment: what is missing is asked for once
  // more, in a request whose answer has words.
  S3Result<ObjectInfo> look_for(const std::string& key, const std::string& version_id,
                                std::stop_token stop);
  S3Result<OpenObject> get(const std::string& key, const ReadOptions& options,
                           std::stop_token stop);
  // The object is there whole, or not at all. Up to 5 GiB.
  S3Result<Stored> put(const std::string& key, const UploadBody& body, const PutOptions& options,
                       std::stop_token stop);
  // Within the bucket, by the server. Up to 5 GiB. After Changed a copy may be there all the same.
  S3Result<Stored> copy(const std::string& from, const std::string& to, const CopyOptions& options,
                        std::stop_token stop);
  // An object that is not there counts as removed. With `if_match`, another one stays: Changed.
  S3Result<void> remove(const std::string& key, const std::string& if_match, std::stop_token stop);

  // One page. The sink runs on the caller's thread once the page is whole.
  S3Result<ListingEnd> list(const ListOptions& options, const ObjectSink& sink,
                            std::stop_token stop);

  // A large object in parts of 5 MiB and more (the last may be smaller), in any order and at once.
  // Nothing of it is to be seen before complete(); what is not completed costs until abort().
  S3Result<std::string> begin_parts(const std::string& key, const PutOptions& options,
                                    std::stop_token stop);  // gives the upload's id
  S3Result<Part> put_part(const std::string& key, const std::string& upload_id, int number,
                          const UploadBody& body, std::stop_token stop);
  // What the server has of it, by number. Vanished if it was completed or aborted already.
  S3Result<std::vector<ListedPart>> list_parts(const std::string& key, const std::string& upload_id,
                                               std::stop_token stop);
  // Vanished if the upload was completed or aborted already; Exists, with Refuse, if an object is
  // there.
  S3Result<Stored> complete(const std::string& key, const std::string& upload_id,
                            const std::vector<Part>& parts, IfTaken if_taken, std::stop_token stop);
  // One that is not there counts as aborted.
  S3Result<void> abort(const std::string& key, const std::string& upload_id, std::stop_token stop);

  // A link to read the object with, for `life` (1 s to 7 days; keys with an end may end it
  // earlier). A secret.
  S3Result<std::string> read_link(const std::string& key, const std::string& version_id,
                                  std::chrono::seconds life, std::stop_token stop);

 private:
  // Changed or Vanished where the object is another one, or none.
  S3Result<void> expect_object(const std::string& key, const std::string& version_id,
                               const std::string& etag, const std::stop_token& stop);
  // Exists where there is one.
  S3Result<void> expect_none(const std::string& key, const std::stop_token& stop);
  // Takes the condition out, if that is what the server does not know.
  static bool is_to_be_sent_without_condition(S3Request& request, const S3Failure& failed);

  S3Sender sender_;
};

}  // namespace millrace
