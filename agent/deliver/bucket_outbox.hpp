// An outbox that is a bucket.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "agent/deliver/outbox.hpp"
#include "agent/s3/s3_client.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

struct BucketOutboxSettings {
  std::string url;                         // id and for people: "s3://NAME@bucket/prefix/"
  std::string prefix;                      // empty, or with `/` at its end
  std::string owner = "agent";             // as in LocalOutboxOptions
  std::uint64_t parts_above = 64'000'000;  // bytes; a larger result is sent in parts
  std::stop_token stop;                    // ends every call on the store with Stopped
};

// A result is written to `spool`, a folder on this machine that must exist, and checked and synced
// there like one of a local outbox; commit() sends it from there. So the store never holds a
// beginning, a result takes no memory, its length and SHA-256 are known before the first byte goes
// out, and what was paid for survives whatever happens to this process or to the store: adopt()
// sends it.
//
// An object is put only where there is none: with `If-None-Match: *` where the store keeps that,
// which is found out once, by two writes to a key of ours (`.millrace-probe-...`), that is then
// removed. Where it does not, and for what is sent in parts, it is looked before, and looked after
// whether the object is ours, so that only a writer in that very moment may be missed. The same
// holds for replacing. What an error left undecided is decided by reading the object back.
Result<std::unique_ptr<Outbox>> open_bucket_outbox(BucketOutboxSettings settings,
                                                   std::shared_ptr<S3Client> client,
                                                   FileSystem& files,
                                                   const std::filesystem::path& spool);

}  // namespace millrace
