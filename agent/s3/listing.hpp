// A page of ListObjectsV2, read as it arrives.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "agent/s3/xml_reader.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

struct ListedObject {
  std::string key;            // bytes, 1 to 1,024
  std::string etag;           // without quotes
  std::string storage_class;  // "STANDARD", "GLACIER", ...; empty where the server does not say
  std::uint64_t size = 0;     // bytes
  std::optional<WallTime> modified;
};

// Takes the objects in the order of the listing. An error ends the listing with that.
using ObjectSink = std::function<Result<void>(ListedObject object)>;

struct ListingEnd {
  bool truncated = false;   // another page follows
  std::string next_token;   // for that page; never empty if truncated
  std::uint64_t count = 0;  // objects of this page
};

// `"abc"` and `&quot;abc&quot;` as `abc`; `W/"abc"` stays as it is, since it names no bytes.
std::string bare_etag(std::string_view etag);

// Keys are taken as they stand, or percent-decoded where the server says that it encoded them
// (which it says before the first, as is asked for with `encoding-type=url`). Constant memory.
class ListingReader final : private XmlHandler {
 public:
  explicit ListingReader(ObjectSink sink) : sink_(std::move(sink)) {}

  // The next bytes, cut anywhere. The sink's error, or Transient: not a listing, an object without
  // key or size, a key longer than 1,024 bytes.
  Result<void> add(std::span<const std::byte> bytes) { return reader_.add(bytes); }
  // Transient if the page is not whole, or tells of a next page without how to ask for it.
  Result<ListingEnd> finish();

 private:
  Result<void> element_begins(std::string_view path, const XmlAttributes&) override;
  Result<void> element_ends(std::string_view path, std::string_view text) override;
  Result<void> object_field(std::string_view name, std::string_view text);
  Result<void> object_ends();

  const ObjectSink sink_;
  XmlReader reader_{*this};
  ListedObject object_;
  bool has_size_ = false;
  bool encoded_ = false;
  std::optional<bool> truncated_;
  ListingEnd end_;
};

}  // namespace millrace
