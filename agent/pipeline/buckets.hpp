// The buckets that settings name, opened for the stages.
#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/deliver/outbox.hpp"
#include "agent/transfer/http_client.hpp"
#include "config/settings.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

struct BucketTools {  // the references outlive the Buckets and all that they opened
  HttpClient& http;
  const Clock& clock;
  std::filesystem::path config_dir;  // of the secrets
  std::filesystem::path spool;       // results wait there, in a folder for each owner
  std::stop_token stop;              // ends every request
};

bool has_buckets();  // S3 is in this build

// Thread-safe. One client and one set of keys a bucket, however often it is opened.
class Buckets {
 public:
  virtual ~Buckets() = default;
  // From now on. What is open keeps the settings that it was opened with.
  virtual void set_stores(std::vector<S3Settings> stores) = 0;
  // `place` is one that bucket_of() knows; `owner` as in LocalOutboxOptions. Makes the spool, and
  // asks nothing of the store yet. Environment if the spool cannot be made; Configuration if there
  // are no such settings, or no S3 in this build.
  virtual Result<std::unique_ptr<Outbox>> open_outbox(const std::filesystem::path& place,
                                                      const std::string& owner) = 0;
};

std::unique_ptr<Buckets> make_buckets(BucketTools tools);

}  // namespace millrace
