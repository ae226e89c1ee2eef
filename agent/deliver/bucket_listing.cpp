#include "agent/deliver/bucket_listing.hpp"

#include <utility>

namespace millrace {
namespace {

// A listing of a prefix holds nothing else, unless the server is wrong.
Result<Name> name_of(const std::string& key, const std::string& prefix) {
  if (key.starts_with(prefix)) return key.substr(prefix.size());
  return fail(ErrorKind::Transient, "the listing has a key outside of its prefix");
}

bool is_folder_mark(const ListedObject& object) {
  return object.size == 0 && object.key.ends_with('/');
}

}  // namespace

Result<std::vector<Candidate>> BucketSources::next_page() {
  std::vector<Candidate> page;
  const auto take = [&](ListedObject object) -> Result<void> {
    if (is_folder_mark(object)) return {};
    auto name = name_of(object.key, where_.prefix);
    if (!name) return std::unexpected(name.error());
    if (wanted_(*name))
      page.push_back({folder_, std::move(*name), object.size, std::move(object.etag)});
    return {};
  };
  while (page.empty() && !ended_) {
    const ListOptions options{.prefix = where_.prefix, .token = token_, .max_keys = where_.page};
    auto end = client_->list(options, take, where_.stop);
    if (!end) return std::unexpected(end.error());
    ended_ = !end->truncated;
    token_ = std::move(end->next_token);
  }
  return page;
}

Result<ResultListing::Page> BucketResults::page_behind(const Name& name) {
  Page page;
  const auto take = [&](const ListedObject& object) -> Result<void> {
    auto found = name_of(object.key, where_.prefix);
    if (!found) return std::unexpected(found.error());
    page.names.push_back(std::move(*found));
    return {};
  };
  ListOptions options{.prefix = where_.prefix, .max_keys = where_.page};
  if (!name.empty()) options.start_after = where_.prefix + name;
  // A page may be empty and not the last.
  do {
    auto end = client_->list(options, take, where_.stop);
    if (!end) return std::unexpected(end.error());
    page.is_last = !end->truncated;
    options.token = std::move(end->next_token);
  } while (page.names.empty() && !page.is_last);
  return page;
}

}  // namespace millrace
