#include "agent/pipeline/buckets.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "agent/deliver/bucket_outbox.hpp"
#include "agent/pipeline/services.hpp"
#include "agent/s3/credentials_sources.hpp"
#include "agent/s3/kept_credentials.hpp"
#include "config/bucket_url.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"
#include "platform/fs/file_system.hpp"
#include "platform/fs/path_text.hpp"
#include "platform/fs/small_file.hpp"

namespace millrace {
namespace {

constexpr std::size_t kLongestProfileFile = 1 << 20;

std::optional<std::string> environment_variable(std::string_view name) {
  const char* const value = std::getenv(std::string(name).c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

Result<std::string> read_profile_file(const std::string& path) {
  const auto file = native_path(path);
  const auto folder = real_file_system().open_directory(file.parent_path());
  if (!folder) return std::unexpected(folder.error());
  return read_small_file(**folder, path_text(file.filename()), kLongestProfileFile);
}

CredentialsSourcePtr credentials_of(const S3Settings& store, const BucketTools& tools) {
  if (store.access_key_id.where == SecretRef::Where::None) {
    const auto home = expand_home("~");  // on Windows %USERPROFILE%, as the tools of AWS have it
    return usual_credentials(
        {environment_variable, read_profile_file, home ? path_text(*home) + "/" : ""}, tools.http,
        store.profile);
  }
  const auto reader = [&](const SecretRef& where) -> ReadSecret {
    if (where.where == SecretRef::Where::None) return {};
    return [where, folder = tools.config_dir] { return read_key(where, folder); };
  };
  return given_credentials(
      {reader(store.access_key_id), reader(store.secret_access_key), reader(store.session_token)});
}

BucketPlace place_in(const S3Settings& store, const std::string& bucket) {
  const S3Style usual = store.endpoint.empty() ? S3Style::Host : S3Style::Path;
  const bool by_host = store.style.value_or(usual) == S3Style::Host;
  return {store.endpoint, store.region, bucket,
          by_host ? AddressStyle::VirtualHost : AddressStyle::Path, store.ca_file};
}

struct OpenBucket {
  OpenBucket(const S3Settings& store, const std::string& bucket, const BucketTools& tools)
      : keys(credentials_of(store, tools)),
        client(tools.http, keys, tools.clock, place_in(store, bucket)) {}
  KeptCredentials keys;
  S3Client client;
};

class S3Buckets final : public Buckets {
 public:
  explicit S3Buckets(BucketTools tools) : tools_(std::move(tools)) {}

  void set_stores(std::vector<S3Settings> stores) override {
    const MutexLock lock(mutex_);
    stores_ = std::move(stores);
    open_.clear();
  }

  Result<std::unique_ptr<Outbox>> open_outbox(const std::filesystem::path& place,
                                              const std::string& owner) override {
    const auto url = bucket_of(place);
    if (!url) return fail(ErrorKind::Defect, printable(path_text(place)) + " is no bucket");
    auto client = client_of(*url);
    if (!client) return std::unexpected(client.error());
    const auto spool = tools_.spool / owner;
    if (auto made = real_file_system().make_directory(spool); !made)
      return std::unexpected(made.error());
    BucketOutboxSettings settings;
    settings.url = path_text(place) + "/";
    settings.prefix = url->prefix;
    settings.owner = owner;
    settings.stop = tools_.stop;
    return open_bucket_outbox(std::move(settings), std::move(*client), real_file_system(), spool);
  }

 private:
  // Shared: an outbox may outlive a reload of the settings.
  Result<std::shared_ptr<S3Client>> client_of(const BucketUrl& url) {
    const MutexLock lock(mutex_);
    const auto store = std::ranges::find(stores_, url.settings, &S3Settings::name);
    if (store == stores_.end() && url.settings != "default")
      return fail(ErrorKind::Configuration, "there is no [s3." + printable(url.settings) + "]");
    auto& bucket = open_[{url.settings, url.bucket}];
    if (!bucket)
      bucket = std::make_shared<OpenBucket>(store == stores_.end() ? S3Settings{} : *store,
                                            url.bucket, tools_);
    return std::shared_ptr<S3Client>(bucket, &bucket->client);
  }

  const BucketTools tools_;
  Mutex mutex_;
  std::vector<S3Settings> stores_ GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, std::shared_ptr<OpenBucket>> open_
      GUARDED_BY(mutex_);
};

}  // namespace

bool has_buckets() { return true; }

std::unique_ptr<Buckets> make_buckets(BucketTools tools) {
  return std::make_unique<S3Buckets>(std::move(tools));
}

}  // namespace millrace
