// How much memory a listing takes, as Linux counts it.
#include <fstream>

#include "agent/s3/listing.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

std::size_t resident_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t kb = 0;
    if (word == "VmRSS:" && status >> kb) return kb;
  }
  return 0;
}

Result<void> feed(ListingReader& reader, std::string_view text) {
  return reader.add(std::as_bytes(std::span(text)));
}

}  // namespace

TEST_CASE("a listing of 200,000 keys takes no more memory than one of a hundred [P6]") {
  std::uint64_t seen = 0;
  std::string last;
  ListingReader reader([&](ListedObject object) -> Result<void> {
    ++seen;
    if (object.key <= last) return fail(ErrorKind::Defect, "out of order");
    last = std::move(object.key);
    return {};
  });
  REQUIRE(feed(reader, "<ListBucketResult><IsTruncated>false</IsTruncated>"));
  std::size_t before = 0;
  for (int i = 0; i < 200'000; ++i) {
    if (i == 100) before = resident_kb();
    const std::string number = std::to_string(1'000'000 + i);
    REQUIRE(feed(reader,
                 "<Contents><Key>photos/2026/IMG_" + number +
                     ".jpeg</Key><LastModified>2026-03-01T12:00:00.000Z</LastModified><ETag>&quot;"
                     "d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>" +
                     number + "</Size><StorageClass>STANDARD</StorageClass></Contents>"));
  }
  REQUIRE(feed(reader, "</ListBucketResult>"));
  const auto end = reader.finish();
  REQUIRE(end);
  CHECK(end->count == 200'000);
  CHECK(seen == 200'000);
  CHECK(before > 0);
  CHECK(resident_kb() < before + 1024);
}
