// The listings of a bucket as the walk of MissingResults takes them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "agent/deliver/missing_results.hpp"
#include "agent/s3/s3_client.hpp"

namespace millrace {

struct ListedPrefix {
  std::string prefix;    // empty, or with `/` at its end; names are keys without it
  int page = 1000;       // objects of one request, 1 to 1,000
  std::stop_token stop;  // ends the listing with Stopped
};

// Every object beneath the prefix but empty ones whose key ends in `/`, which consoles make to show
// a folder. A page is asked for by the token of the one before, so that what comes or goes
// meanwhile moves no other object into or out of it.
class BucketSources final : public SourceListing {
 public:
  using Wanted = std::function<bool(const Name&)>;
  BucketSources(std::shared_ptr<S3Client> client, ListedPrefix where, std::string folder,
                Wanted wanted)
      : client_(std::move(client)),
        where_(std::move(where)),
        folder_(std::move(folder)),
        wanted_(std::move(wanted)) {}

  Result<std::vector<Candidate>> next_page() override;

 private:
  const std::shared_ptr<S3Client> client_;
  const ListedPrefix where_;
  const std::string folder_;  // of the candidates
  const Wanted wanted_;
  std::string token_;
  bool ended_ = false;
};

class BucketResults final : public ResultListing {
 public:
  BucketResults(std::shared_ptr<S3Client> client, ListedPrefix where)
      : client_(std::move(client)), where_(std::move(where)) {}

  Result<Page> page_behind(const Name& name) override;

 private:
  const std::shared_ptr<S3Client> client_;
  const ListedPrefix where_;
};

}  // namespace millrace
