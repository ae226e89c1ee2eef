// A bucket as an inbox or an outbox: `s3://NAME@bucket/prefix/`, in the settings a path whose text
// is such a URL.
#pragma once

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

struct BucketUrl {
  std::string settings = "default";  // of [s3.NAME]
  std::string bucket;
  std::string prefix;  // of its keys: empty, or parts divided by single `/` with one at the end
  bool operator==(const BucketUrl&) const = default;
};

// Nothing if `text` does not begin with `s3:/` in either case, so that it is a path; else the URL,
// or what is wrong with it.
std::optional<std::expected<BucketUrl, std::string>> parse_bucket_url(std::string_view text);

// The URL that stands in a path of the settings, if it is one.
std::optional<BucketUrl> bucket_of(const std::filesystem::path& place);
// The inverse: always with NAME and without the last `/`, so that equal places are equal texts.
std::filesystem::path place_of(const BucketUrl& url);

// `leaf` beside a folder, or beside a prefix; empty where that would be beside a whole bucket.
std::filesystem::path place_beside(const std::filesystem::path& place, std::string_view leaf);

}  // namespace millrace
