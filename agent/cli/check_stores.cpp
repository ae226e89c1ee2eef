// The keys of the stores, and the authorities that they are trusted by.
#include <algorithm>
#include <array>
#include <filesystem>

#include "agent/cli/check.hpp"
#include "agent/cli/check_rules.hpp"
#include "agent/pipeline/services.hpp"
#include "config/bucket_url.hpp"
#include "platform/base/native_path.hpp"

namespace millrace {
namespace {

struct StoreKey {
  const char* name;
  SecretRef S3Settings::* where;
};
constexpr std::array kStoreKeys{StoreKey{"access_key_id", &S3Settings::access_key_id},
                                StoreKey{"secret_access_key", &S3Settings::secret_access_key},
                                StoreKey{"session_token", &S3Settings::session_token}};

// Archive and quarantine lie in the bucket of the inbox.
bool lies_in(const FolderSettings& folder, const S3Settings& store) {
  return std::ranges::any_of(std::array{bucket_of(folder.inbox), bucket_of(folder.outbox)},
                             [&](const auto& url) { return url && url->settings == store.name; });
}

// Nothing is said of a store in which nothing is wrong.
std::vector<Finding> troubles_of(const S3Settings& store, FindingLevel level,
                                 const std::filesystem::path& config_dir) {
  std::vector<Finding> findings;
  const std::string whose = " of store " + store.name;
  for (const auto& [name, where] : kStoreKeys) {
    auto key = read_key(store.*where, config_dir);
    if (!key)
      findings.push_back({level, name + whose, key.error().message, advice_for(store.*where)});
    else
      std::ranges::fill(*key, '\0');
  }
  std::error_code ignored;
  if (!store.ca_file.empty() &&
      !std::filesystem::is_regular_file(native_path(store.ca_file), ignored))
    findings.push_back({level, "ca_file" + whose, store.ca_file + " is not there",
                        "put the certificate of the store's authority (PEM) there, or change "
                        "`ca_file` in [s3." +
                            store.name + "]"});
  return findings;
}

}  // namespace

std::vector<Finding> check_stores(const Context& context) {
  std::vector<Finding> findings;
  for (const S3Settings& store : context.settings.stores) {
    const bool used =
        std::ranges::any_of(context.settings.folders,
                            [&](const FolderSettings& folder) { return lies_in(folder, store); });
    auto troubles = troubles_of(store, used ? FindingLevel::Error : FindingLevel::Warning,
                                context.config_file.parent_path());
    if (troubles.empty()) {
      const bool given = store.access_key_id.where != SecretRef::Where::None;
      troubles.push_back(
          found_well("store " + store.name, given ? "its keys can be read; not asked here"
                                                  : "keys as for AWS's own tools; not asked here"));
    }
    findings.insert(findings.end(), troubles.begin(), troubles.end());
  }
  return findings;
}

}  // namespace millrace
