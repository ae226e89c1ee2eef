#include "agent/s3/bucket_place.hpp"

#include <algorithm>

#include "agent/s3/uri.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

bool is_one_of(char c, std::string_view more) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.contains(c);
}

// 3 to 63 of lower-case letters, digits, dots and hyphens; capitals and underscores are of old
// buckets, which are addressed by path alone.
bool is_bucket(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && name != "..." &&
         std::ranges::all_of(name,
                             [](char c) { return is_one_of(c, ".-_") || (c >= 'A' && c <= 'Z'); });
}

bool fits_a_host(std::string_view bucket) {
  return std::ranges::all_of(bucket, [](char c) { return is_one_of(c, "-"); }) &&
         !bucket.starts_with('-') && !bucket.ends_with('-');
}

struct Origin {
  std::string scheme;  // "https://"
  std::string host;    // with a port that is not the scheme's own
};

Result<Origin> origin_of(std::string_view endpoint) {
  const std::string lower = to_lower_ascii(endpoint);
  const bool plain = lower.starts_with("http://");
  if (!plain && !lower.starts_with("https://"))
    return fail(ErrorKind::Configuration, "the endpoint of S3 must begin with https://");
  Origin origin{plain ? "http://" : "https://", ""};
  origin.host = lower.substr(origin.scheme.size());
  while (origin.host.ends_with('/')) origin.host.pop_back();
  if (origin.host.empty() || origin.host.find_first_of("/?#@ \t\r\n%") != std::string::npos)
    return fail(ErrorKind::Configuration,
                "the endpoint of S3 must be a host and a port, and nothing else");
  const std::string_view own_port = plain ? ":80" : ":443";
  if (origin.host.ends_with(own_port)) origin.host.resize(origin.host.size() - own_port.size());
  return origin;
}

// The endpoint of AWS in `region`, where `host` is one of AWS in whichever region.
std::string host_in_region(const std::string& host, std::string_view region) {
  for (const std::string_view domain : {".amazonaws.com", ".amazonaws.com.cn"}) {
    if (!host.ends_with(domain)) continue;
    const std::string_view name(host.data(), host.size() - domain.size());
    if (name == "s3" || (name.starts_with("s3.") && is_region(name.substr(3))))
      return "s3." + std::string(region) + std::string(domain);
  }
  return host;
}

}  // namespace

bool is_region(std::string_view text) {
  return !text.empty() && text.size() <= 63 &&
         std::ranges::all_of(text, [](char c) { return is_one_of(c, "-"); });
}

Result<ObjectAddress> address_of(const BucketPlace& place, std::string_view region,
                                 std::string_view key) {
  if (!is_region(region))
    return fail(ErrorKind::Configuration, "`" + printable(region, 100) + "` is no region of S3");
  if (!is_bucket(place.bucket))
    return fail(ErrorKind::Configuration,
                "`" + printable(place.bucket, 100) + "` is no name of a bucket");
  auto origin =
      origin_of(place.endpoint.empty() ? "https://s3.us-east-1.amazonaws.com" : place.endpoint);
  if (!origin) return std::unexpected(origin.error());
  ObjectAddress address;
  address.host = host_in_region(origin->host, region);
  address.path = "/";
  if (place.style == AddressStyle::VirtualHost && fits_a_host(place.bucket)) {
    address.host = place.bucket + '.' + address.host;
  } else {
    address.path += place.bucket;
    if (!key.empty()) address.path += '/';
  }
  address.path += uri_encode(key, Slash::Keep);
  address.origin = origin->scheme + address.host;
  return address;
}

}  // namespace millrace
