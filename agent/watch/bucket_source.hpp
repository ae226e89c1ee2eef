// Candidates from a bucket.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "agent/job/source.hpp"
#include "agent/s3/s3_client.hpp"

namespace millrace {

struct BucketSourceSettings {
  std::string url;                  // for people: "s3://NAME@bucket/prefix/"
  std::string prefix;               // of the inbox's keys: empty, or with `/` at its end
  std::string archive, quarantine;  // prefixes in the same bucket
  std::stop_token stop;             // ends every call with Stopped
};

// A candidate's name is its key without the prefix, whatever bytes it holds: it is only ever put
// behind a prefix, and S3 resolves nothing in a key, so that no name leads out of one. An object is
// whole as soon as it is there. Its version is its ETag, as listings tell it: every read asks for
// exactly that, and check() asks whether it is still there. An object that is written again with
// the same bytes may keep its ETag, and then is the same version. The client is shared: requests
// may be under way when its other users are gone.
//
// shelve() copies on the server, writes the note, and deletes last; what a run that was cut off
// left on the shelf is taken for the copy if it has the source's ETag. remove() and shelve() delete
// only the version that they were asked for, as far as S3Client::remove() can promise that.
std::unique_ptr<Source> make_bucket_source(BucketSourceSettings settings,
                                           std::shared_ptr<S3Client> client);

}  // namespace millrace
