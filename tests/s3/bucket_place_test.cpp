#include "agent/s3/bucket_place.hpp"

#include "agent/s3/checksum_text.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

// origin + path, or "refused".
std::string address(BucketPlace place, std::string_view key = "k") {
  const auto found = address_of(place, place.region, key);
  if (!found) {
    CHECK(found.error().kind == ErrorKind::Configuration);
    return "refused";
  }
  CHECK(found->origin.ends_with("://" + found->host));
  return found->origin + found->path;
}

}  // namespace

TEST_CASE("an object is addressed by host or by path") {
  const BucketPlace aws{.region = "eu-west-1", .bucket = "photos"};
  CHECK(address(aws) == "https://photos.s3.eu-west-1.amazonaws.com/k");
  CHECK(address({.endpoint = "https://S3.Example:9000/", .bucket = "photos"}) ==
        "https://photos.s3.example:9000/k");
  const BucketPlace by_path{
      .endpoint = "http://127.0.0.1:9000", .bucket = "photos", .style = AddressStyle::Path};
  CHECK(address(by_path) == "http://127.0.0.1:9000/photos/k");
  CHECK(address(by_path, "") == "http://127.0.0.1:9000/photos");
  CHECK(address(aws, "") == "https://photos.s3.eu-west-1.amazonaws.com/");
  CHECK(address(by_path, "../a//b/ü?#%") == "http://127.0.0.1:9000/photos/../a//b/%C3%BC%3F%23%25");
  CHECK(address(by_path, "/abs") == "http://127.0.0.1:9000/photos//abs");
}

TEST_CASE("a bucket whose name is no label of a host is addressed by path") {
  for (const char* bucket : {"my.bucket", "Old_Bucket", "-abc", "abc-"})
    CHECK(address({.endpoint = "https://s3.example", .bucket = bucket}) ==
          std::string("https://s3.example/") + bucket + "/k");
}

TEST_CASE("the scheme's own port is not written, so that what is signed is what is sent") {
  CHECK(address({.endpoint = "https://h:443", .bucket = "abc"}) == "https://abc.h/k");
  CHECK(address({.endpoint = "http://h:80", .bucket = "abc"}) == "http://abc.h/k");
  CHECK(address({.endpoint = "http://h:443", .bucket = "abc"}) == "http://abc.h:443/k");
}

TEST_CASE("an endpoint of AWS follows the region, and no other does [N6]") {
  const auto host_in = [](const char* endpoint, const char* region) {
    const BucketPlace place{.endpoint = endpoint, .bucket = "abc", .style = AddressStyle::Path};
    return address_of(place, region, "").value().host;
  };
  CHECK(host_in("https://s3.us-east-1.amazonaws.com", "eu-west-1") == "s3.eu-west-1.amazonaws.com");
  CHECK(host_in("https://s3.amazonaws.com", "eu-west-1") == "s3.eu-west-1.amazonaws.com");
  CHECK(host_in("https://s3.cn-north-1.amazonaws.com.cn", "cn-northwest-1") ==
        "s3.cn-northwest-1.amazonaws.com.cn");
  CHECK(host_in("https://s3.example", "eu-west-1") == "s3.example");
  CHECK(host_in("https://s3.amazonaws.com.evil.example", "eu-west-1") ==
        "s3.amazonaws.com.evil.example");
  CHECK(host_in("https://x.s3.us-east-1.amazonaws.com", "eu-west-1") ==
        "x.s3.us-east-1.amazonaws.com");
}

TEST_CASE("what is no endpoint, region or bucket is refused") {
  for (const char* endpoint : {"s3.example", "ftp://s3.example", "https://", "https://h/path",
                               "https://u:p@h", "https://h?x", "https://h h"}) {
    INFO(endpoint);
    CHECK(address({.endpoint = endpoint, .bucket = "abc"}) == "refused");
  }
  for (const char* region : {"", "eu west", "EU", "a/b", "a.b"})
    CHECK(address({.region = region, .bucket = "abc"}) == "refused");
  for (const char* bucket : {"", "ab", "a/b", "a b", "...", "ü-bucket"})
    CHECK(address({.bucket = bucket}) == "refused");
}

TEST_CASE("a digest in hex becomes Base64") {
  CHECK(checksum_text("") == "");
  CHECK(checksum_text("66") == "Zg==");
  CHECK(checksum_text("666f") == "Zm8=");
  CHECK(checksum_text("666f6f") == "Zm9v");
  CHECK(checksum_text("fbff") == "+/8=");
}
