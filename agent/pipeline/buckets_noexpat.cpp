// A build without S3, for which expat is needed.
#include "agent/pipeline/buckets.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

class NoBuckets final : public Buckets {
 public:
  void set_stores(std::vector<S3Settings>) override {}
  Result<std::unique_ptr<Outbox>> open_outbox(const std::filesystem::path& place,
                                              const std::string&) override {
    return no_s3(place);
  }
  Result<Inbox> open_inbox(const FolderSettings& folder, std::size_t, Ledger&, RootSink&) override {
    return no_s3(folder.inbox);
  }

 private:
  static std::unexpected<Error> no_s3(const std::filesystem::path& place) {
    return fail(ErrorKind::Configuration,
                printable(path_text(place)) + ": there is no S3 in this build");
  }
};

}  // namespace

bool has_buckets() { return false; }

std::unique_ptr<Buckets> make_buckets(BucketTools) { return std::make_unique<NoBuckets>(); }

}  // namespace millrace
