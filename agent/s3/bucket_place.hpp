// Where a bucket is, and how its objects are addressed.
#pragma once

#include <string>
#include <string_view>

#include "platform/base/result.hpp"

namespace millrace {

enum class AddressStyle {
  VirtualHost,  // https://BUCKET.HOST/KEY; a bucket with a dot in its name is addressed by path,
                // since no certificate of HOST covers two names more
  Path,         // https://HOST/BUCKET/KEY
};

struct BucketPlace {
  std::string endpoint = {};  // "https://HOST[:PORT]"; empty: AWS, in the region
  std::string region = "us-east-1";
  std::string bucket = {};
  AddressStyle style = AddressStyle::VirtualHost;
  std::string ca_file = {};  // replaces the system's trust if set
};

struct ObjectAddress {
  std::string origin;  // "https://HOST[:PORT]"
  std::string host;    // as the header `Host` has it
  std::string path;    // encoded, begins with `/`
};

// Of an object, or of the bucket itself where `key` is empty. An endpoint of AWS follows `region`;
// any other stays what it is, whatever region its bucket is said to be in: so requests, and the
// tokens in them, go nowhere but to the endpoint that the settings name, or to AWS where they name
// AWS. Configuration if endpoint, region or bucket are none.
Result<ObjectAddress> address_of(const BucketPlace& place, std::string_view region,
                                 std::string_view key);

// Lower-case letters, digits and hyphens: fit to be a part of a host's name.
bool is_region(std::string_view text);

}  // namespace millrace
