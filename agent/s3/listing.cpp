#include "agent/s3/listing.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/s3/iso_time.hpp"
#include "agent/s3/uri.hpp"

namespace millrace {
namespace {

constexpr std::string_view kRoot = "ListBucketResult";
constexpr std::string_view kObject = "ListBucketResult/Contents";
constexpr std::size_t kLongestKey = 1024;
constexpr std::size_t kLongestWord = 1024;                // ETag, storage class
constexpr std::size_t kLongestEncoded = 3 * kLongestKey;  // `%` and two digits a byte

constexpr std::string_view kKeyTooLong = "has a key of more than 1,024 bytes";

// Forms write a space as `+`, and so does S3 here.
std::string decoded_key(std::string_view text) {
  std::string spaced(text);
  std::ranges::replace(spaced, '+', ' ');
  return uri_decode(spaced);
}

std::unexpected<Error> broken(std::string_view why) {
  return fail(ErrorKind::Transient, "the listing " + std::string(why));
}

}  // namespace

std::string bare_etag(std::string_view etag) {
  if (etag.size() >= 2 && etag.starts_with('"') && etag.ends_with('"'))
    etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

Result<void> ListingReader::element_begins(std::string_view path, const XmlAttributes&) {
  if (!path.starts_with(kRoot)) return broken("is something else");
  if (path != kObject) return {};
  object_ = {};
  has_size_ = false;
  return {};
}

Result<void> ListingReader::object_field(std::string_view name, std::string_view text) {
  if (name == "Key") {
    if (text.size() > kLongestEncoded) return broken(kKeyTooLong);
    object_.key = text;
  }
  if ((name == "ETag" || name == "StorageClass") && text.size() > kLongestWord)
    return broken("has an ETag or a storage class of more than 1,024 bytes");
  if (name == "ETag") object_.etag = bare_etag(text);
  if (name == "StorageClass") object_.storage_class = text;
  if (name == "LastModified") object_.modified = parse_iso_time(text);
  if (name == "Size") {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), object_.size);
    has_size_ = error == std::errc{} && end == text.data() + text.size();
    if (!has_size_) return broken("has a size that is no number");
  }
  return {};
}

Result<void> ListingReader::object_ends() {
  if (object_.key.empty() || !has_size_) return broken("has an object without key or size");
  if (objects_.size() == kMostObjects) return broken("has more than 10,000 objects");
  objects_.push_back(std::exchange(object_, {}));
  return {};
}

Result<void> ListingReader::element_ends(std::string_view path, std::string_view text) {
  if (path == kObject) return object_ends();
  if (path.size() > kObject.size() && path.starts_with(kObject) && path[kObject.size()] == '/')
    return object_field(path.substr(kObject.size() + 1), text);
  path.remove_prefix(std::min(kRoot.size() + 1, path.size()));
  if (path == "IsTruncated") truncated_ = text == "true";
  if (path == "NextContinuationToken") end_.next_token = text;
  if (path == "EncodingType") encoded_ = text == "url";
  return {};
}

Result<ListingEnd> ListingReader::finish() {
  if (auto whole = reader_.finish(); !whole) return std::unexpected(whole.error());
  if (!truncated_) return broken("does not say whether it is whole");
  end_.truncated = *truncated_;
  if (end_.truncated && end_.next_token.empty())
    return broken("goes on, but does not say how to ask for more");
  end_.count = objects_.size();
  if (auto read = read_keys(); !read) return std::unexpected(read.error());
  for (ListedObject& object : std::exchange(objects_, {}))
    if (auto taken = sink_(std::move(object)); !taken) return std::unexpected(taken.error());
  return std::exchange(end_, {});
}

// Only now is it known whether they are encoded: MinIO says so behind the last.
Result<void> ListingReader::read_keys() {
  for (ListedObject& object : objects_) {
    if (encoded_) object.key = decoded_key(object.key);
    if (object.key.size() > kLongestKey) return broken(kKeyTooLong);
  }
  return {};
}

}  // namespace millrace
