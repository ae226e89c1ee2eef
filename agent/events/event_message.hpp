// What a store pushes when objects change: S3 event JSON, bare as Ceph's gateway sends it, or in
// the envelope of a topic as Amazon SNS forwards it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace {

struct PushedObject {
  std::string bucket;
  std::string key;
  bool operator==(const PushedObject&) const = default;
};

struct PushedMessage {
  // Objects that were made or changed. AWS encodes keys as a form does and Ceph does not: a key
  // that can be read both ways is here twice, since a look at a key that is not there does no harm.
  std::vector<PushedObject> objects;
  // A topic asks whether it may send; a person has to open this address. Else empty.
  std::string confirm_at;
};

// Input if it is neither.
Result<PushedMessage> read_pushed_message(std::string_view body);

}  // namespace millrace
