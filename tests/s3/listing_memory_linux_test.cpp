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

// The largest page that is taken, from this number on.
void read_page(int first, const ObjectSink& sink) {
  ListingReader reader(sink);
  REQUIRE(feed(reader, "<ListBucketResult><IsTruncated>false</IsTruncated>"));
  const int behind = first + static_cast<int>(ListingReader::kMostObjects);
  for (int i = first; i < behind; ++i) {
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
  CHECK(end->count == ListingReader::kMostObjects);
}

}  // namespace

TEST_CASE("a listing of 200,000 keys takes no more memory than its largest page [P6]") {
  constexpr int kPages = 20;
  constexpr int kEach = static_cast<int>(ListingReader::kMostObjects);
  std::uint64_t seen = 0;
  std::string last;
  const auto sink = [&](ListedObject object) -> Result<void> {
    ++seen;
    if (object.key <= last) return fail(ErrorKind::Defect, "out of order");
    last = std::move(object.key);
    return {};
  };
  const std::size_t nothing = resident_kb();
  read_page(0, sink);
  const std::size_t one = resident_kb();
  for (int page = 1; page < kPages; ++page) read_page(page * kEach, sink);
  CHECK(seen == std::uint64_t{kPages} * kEach);
  CHECK(nothing > 0);
  CHECK(one < nothing + 8 * 1024);
  CHECK(resident_kb() < one + 1024);
}
