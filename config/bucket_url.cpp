#include "config/bucket_url.hpp"

#include <algorithm>

#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::string_view kScheme = "s3://";

// Also a slip such as `s3:/` or `S3:`, which else would be a folder of that name.
bool is_meant(std::string_view text) { return to_lower_ascii(text.substr(0, 4)) == "s3:/"; }

// 3 to 63 of letters, digits, dots, hyphens and underscores (capitals and underscores are of old
// buckets). https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
bool is_bucket_name(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && name.find("..") == name.npos &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

// Success also for no parts at all.
bool are_parts(std::string_view prefix) {
  while (!prefix.empty()) {
    const std::string_view part = prefix.substr(0, prefix.find('/'));
    if (part.empty() || part == "." || part == "..") return false;
    prefix.remove_prefix(std::min(prefix.size(), part.size() + 1));
  }
  return true;
}

std::unexpected<std::string> no_bucket() {
  return std::unexpected(std::string("must name a bucket, as in \"s3://NAME@bucket/prefix/\""));
}

}  // namespace

std::optional<std::expected<BucketUrl, std::string>> parse_bucket_url(std::string_view text) {
  if (!is_meant(text)) return std::nullopt;
  if (to_lower_ascii(text.substr(0, kScheme.size())) != kScheme) return no_bucket();
  text.remove_prefix(kScheme.size());
  const std::string_view authority = text.substr(0, text.find('/'));
  BucketUrl url;
  url.prefix = text.substr(std::min(text.size(), authority.size() + 1));
  const auto at = authority.find('@');
  if (at != authority.npos) url.settings = authority.substr(0, at);
  url.bucket = at == authority.npos ? authority : authority.substr(at + 1);
  if (url.settings.empty() || !is_bucket_name(url.bucket)) return no_bucket();
  if (!are_parts(url.prefix))
    return std::unexpected(
        "must have a prefix of parts that are divided by single `/`, none `.` or `..`");
  if (!url.prefix.empty() && !url.prefix.ends_with('/')) url.prefix += '/';
  return url;
}

std::optional<BucketUrl> bucket_of(const std::filesystem::path& place) {
  auto url = parse_bucket_url(path_text(place));
  if (!url || !*url) return std::nullopt;
  return std::move(**url);
}

std::filesystem::path place_of(const BucketUrl& url) {
  std::string text = std::string(kScheme) + url.settings + '@' + url.bucket + '/' + url.prefix;
  text.pop_back();
  return native_path(text);
}

std::filesystem::path place_beside(const std::filesystem::path& place, std::string_view leaf) {
  auto url = bucket_of(place);
  if (!url) return place.parent_path() / native_path(leaf);
  if (url->prefix.empty()) return {};
  url->prefix.pop_back();
  url->prefix.resize(url->prefix.rfind('/') + 1);
  url->prefix.append(leaf).append("/");
  return place_of(*url);
}

}  // namespace millrace
