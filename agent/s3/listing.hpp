// A page of ListObjectsV2, read as it arrives and handed on when it is whole.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

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

// Takes the objects of a whole page in the order of the listing. An error ends the listing with
// that.
using ObjectSink = std::function<Result<void>(ListedObject object)>;

struct ListingEnd {
  bool truncated = false;   // another page follows
  std::string next_token;   // for that page; never empty if truncated
  std::uint64_t count = 0;  // objects of this page
};

// `"abc"` and `&quot;abc&quot;` as `abc`; `W/"abc"` stays as it is, since it names no bytes.
std::string bare_etag(std::string_view etag);

// Keys are taken as they stand, or percent-decoded where the server says that it encoded them, as
// is asked for with `encoding-type=url`. It may say so before the objects or behind them (MinIO,
// and AWS as documented), so that a page is kept until its end: a few hundred kilobytes for a
// thousand usual keys, 60 MB whatever a server sends.
class ListingReader final : private XmlHandler {
 public:
  static constexpr std::size_t kMostObjects = 10'000;  // ten times what is asked for

  explicit ListingReader(ObjectSink sink) : sink_(std::move(sink)) {}

  // The next bytes, cut anywhere. Transient: not a listing, an object without key or size, more
  // objects than kMostObjects, texts that are too long.
  Result<void> add(std::span<const std::byte> bytes) { return reader_.add(bytes); }
  // Hands the objects to the sink, and none before the page is known to be right: Transient if it
  // is not whole, tells of a next page without how to ask for it, or has a key longer than 1,024
  // bytes. Else the sink's error.
  Result<ListingEnd> finish();

 private:
  Result<void> element_begins(std::string_view path, const XmlAttributes&) override;
  Result<void> element_ends(std::string_view path, std::string_view text) override;
  Result<void> object_field(std::string_view name, std::string_view text);
  Result<void> object_ends();
  Result<void> read_keys();

  const ObjectSink sink_;
  XmlReader reader_{*this};
  ListedObject object_;                // being read; keys are as they stand in the XML
  std::vector<ListedObject> objects_;  // read
  bool has_size_ = false;
  bool encoded_ = false;
  std::optional<bool> truncated_;
  ListingEnd end_;
};

}  // namespace millrace
