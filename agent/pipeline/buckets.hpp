// The buckets that settings name, opened for the stages.
#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/deliver/outbox.hpp"
#include "agent/pipeline/inbox.hpp"
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

// Thread-safe. One client and one set of keys a bucket, however often it is opened; nothing is
// asked of a store yet when one is opened. Places are those that bucket_of() knows. Configuration
// if there are no such settings, or no S3 in this build.
class Buckets {
 public:
  virtual ~Buckets() = default;
  // From now on. What is open keeps the settings that it was opened with.
  virtual void set_stores(std::vector<S3Settings> stores) = 0;
  // `owner` as in LocalOutboxOptions. Makes the spool: Environment if it cannot be made.
  virtual Result<std::unique_ptr<Outbox>> open_outbox(const std::filesystem::path& place,
                                                      const std::string& owner) = 0;
  // `index` is the root's; the ledger and the sink outlive the root.
  virtual Result<Inbox> open_inbox(const FolderSettings& folder, std::size_t index, Ledger& ledger,
                                   RootSink& sink) = 0;
};

std::unique_ptr<Buckets> make_buckets(BucketTools tools);

}  // namespace millrace
