#include "agent/pipeline/buckets.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "agent/deliver/bucket_listing.hpp"
#include "agent/deliver/bucket_outbox.hpp"
#include "agent/pipeline/bucket_root.hpp"
#include "agent/pipeline/services.hpp"
#include "agent/s3/credentials_sources.hpp"
#include "agent/s3/kept_credentials.hpp"
#include "agent/watch/bucket_source.hpp"
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
constexpr std::size_t kLongestKey = 1024;  // bytes

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
  const auto reader = [&](const SecretRef& where, const std::string& key) -> ReadSecret {
    if (where.where == SecretRef::Where::None) return {};
    return [where, folder = tools.config_dir,
            context = "[s3." + store.name + "] " + key]() -> Result<std::string> {
      auto secret = read_key(where, folder);
      if (!secret) return with_context(secret.error(), context);
      return secret;
    };
  };
  return given_credentials({reader(store.access_key_id, "access_key_id"),
                            reader(store.secret_access_key, "secret_access_key"),
                            reader(store.session_token, "session_token")});
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

std::string url_text(const std::filesystem::path& place) { return path_text(place) + "/"; }

BucketRootSettings bucket_root_settings(const FolderSettings& folder, std::size_t index) {
  BucketRootSettings root;
  root.index = index;
  root.folder = folder.name;
  root.names.include = folder.include;
  root.names.exclude = folder.exclude;
  if (folder.own_in_flight) root.names.in_flight = folder.in_flight;
  root.names.recursive = folder.recursive;
  root.names.deepest = kLongestKey;
  root.poll = folder.poll.value_or(root.poll);
  root.walk.output = folder.output;
  root.walk.to = folder.to;
  return root;
}

// Prefix of a shelf; one that is not used may lie nowhere.
std::string prefix_of(const std::filesystem::path& place) {
  const auto url = bucket_of(place);
  return url ? url->prefix : std::string();
}

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
    settings.url = url_text(place);
    settings.prefix = url->prefix;
    settings.owner = owner;
    settings.stop = tools_.stop;
    return open_bucket_outbox(std::move(settings), std::move(*client), real_file_system(), spool);
  }

  Result<Inbox> open_inbox(const FolderSettings& folder, std::size_t index, Ledger& ledger,
                           RootSink& sink) override {
    const auto url = bucket_of(folder.inbox);
    if (!url) return fail(ErrorKind::Defect, printable(path_text(folder.inbox)) + " is no bucket");
    auto client = client_of(*url);
    if (!client) return std::unexpected(client.error());
    BucketViews views;
    views.sources = [client = *client, prefix = url->prefix, name = folder.name](
                        BucketViews::Wants wants, std::stop_token stop) {
      return std::make_unique<BucketSources>(client, ListedPrefix{.prefix = prefix, .stop = stop},
                                             name, std::move(wants));
    };
    views.look = [client = *client, prefix = url->prefix, name = folder.name](
                     const Name& object,
                     const std::stop_token& stop) -> Result<std::optional<Candidate>> {
      auto info = client->look_for(prefix + object, {}, stop);
      if (info) return Candidate{name, object, info->size, std::move(info->etag)};
      if (info.error().kind == ErrorKind::Vanished) return std::nullopt;
      return std::unexpected(info.error());
    };
    if (const auto outbox = bucket_of(folder.outbox)) {
      auto there = client_of(*outbox);
      if (!there) return std::unexpected(there.error());
      views.results = [client = *there, prefix = outbox->prefix](std::stop_token stop) {
        return std::make_unique<BucketResults>(client,
                                               ListedPrefix{.prefix = prefix, .stop = stop});
      };
    }
    return Inbox{make_bucket_source({url_text(folder.inbox), url->prefix, prefix_of(folder.archive),
                                     prefix_of(folder.quarantine), tools_.stop},
                                    std::move(*client)),
                 std::make_shared<BucketRoot>(bucket_root_settings(folder, index), std::move(views),
                                              ledger, tools_.clock, sink)};
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
