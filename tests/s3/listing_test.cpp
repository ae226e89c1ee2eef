#include "agent/s3/listing.hpp"

#include <vector>

#include "agent/s3/iso_time.hpp"
#include "agent/s3/uri.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

struct Page {
  std::vector<ListedObject> objects;
  ListingEnd end;
  std::optional<Error> error;
};

// The page as it is read in pieces of `piece` bytes.
Page read(std::string_view xml, std::size_t piece) {
  Page page;
  ListingReader reader([&](ListedObject object) -> Result<void> {
    page.objects.push_back(std::move(object));
    return {};
  });
  while (!xml.empty() && !page.error) {
    const auto n = std::min(piece, xml.size());
    if (auto added = reader.add(bytes_of(xml.substr(0, n))); !added) page.error = added.error();
    xml.remove_prefix(n);
  }
  if (page.error) return page;
  auto end = reader.finish();
  if (end)
    page.end = *end;
  else
    page.error = end.error();
  return page;
}

std::string object(std::string_view key, std::string_view more = "") {
  return "<Contents><Key>" + std::string(key) +
         "</Key><LastModified>2026-03-01T12:00:00.000Z</LastModified><ETag>&quot;abc&quot;</ETag>"
         "<Size>12</Size><StorageClass>STANDARD</StorageClass>" +
         std::string(more) + "</Contents>";
}

std::string listing(std::string_view inside, std::string_view truncated = "false") {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
         "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix/><KeyCount>2"
         "</KeyCount><IsTruncated>" +
         std::string(truncated) + "</IsTruncated>" + std::string(inside) + "</ListBucketResult>";
}

}  // namespace

TEST_CASE("a page is read the same however it is cut") {
  const std::string xml = listing(
      "<EncodingType>url</EncodingType>" + object("a/%C3%BC+b%2B%0A", "<Owner><ID>x</ID></Owner>") +
          object("b") + "<NextContinuationToken>1/+=&amp;</NextContinuationToken>",
      "true");
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, xml.size()}) {
    const Page page = read(xml, piece);
    REQUIRE_FALSE(page.error);
    REQUIRE(page.objects.size() == 2);
    CHECK(page.objects[0].key == "a/ü b+\n");
    CHECK(page.objects[0].etag == "abc");
    CHECK(page.objects[0].size == 12);
    CHECK(page.objects[0].storage_class == "STANDARD");
    CHECK(page.objects[0].modified == parse_iso_time("2026-03-01T12:00:00Z"));
    CHECK(page.objects[1].key == "b");
    CHECK(page.end.truncated);
    CHECK(page.end.next_token == "1/+=&");
    CHECK(page.end.count == 2);
  }
}

TEST_CASE("that keys are encoded may be said behind them, as MinIO does [N2]") {
  const std::string longest = uri_encode(std::string(1024, '\xFF'));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
    const Page page = read(listing(object("a/%C3%BC+b%2B") + object(longest) +
                                   "<CommonPrefixes></CommonPrefixes>"
                                   "<EncodingType>url</EncodingType>"),
                           piece);
    REQUIRE_FALSE(page.error);
    REQUIRE(page.objects.size() == 2);
    CHECK(page.objects[0].key == "a/ü b+");
    CHECK(page.objects[1].key == std::string(1024, '\xFF'));
    CHECK(page.end.count == 2);
  }
}

TEST_CASE("keys that are not encoded are taken as they stand") {
  const Page page = read(listing(object("a%20b+c &lt;&#x1F600;&gt;")), 5);
  REQUIRE_FALSE(page.error);
  CHECK(page.objects.at(0).key == "a%20b+c <😀>");
  CHECK_FALSE(page.end.truncated);
}

TEST_CASE("an empty bucket is a whole listing, and names of elements may have a prefix") {
  CHECK_FALSE(read(listing(""), 100).error);
  const Page page = read(
      "<s:ListBucketResult xmlns:s=\"x\"><s:IsTruncated>false</s:IsTruncated><s:Contents>"
      "<s:Key>k</s:Key><s:Size>0</s:Size></s:Contents></s:ListBucketResult>",
      9);
  REQUIRE_FALSE(page.error);
  CHECK(page.objects.at(0).key == "k");
}

TEST_CASE("odd keys come out byte for byte [K7]") {
  const std::string longest(1024, 'k');
  for (const std::string& key :
       {std::string("../../etc/passwd"), std::string("/abs"), std::string("a\\..\\b"),
        std::string("C:x"), std::string("a//b/"), std::string("."), std::string("a\x01\x1F\r\n\t"),
        std::string("nul\0byte", 8), longest}) {
    const Page page =
        read(listing("<EncodingType>url</EncodingType>" + object(uri_encode(key))), 64);
    REQUIRE_FALSE(page.error);
    CHECK(page.objects.at(0).key == key);
  }
}

TEST_CASE("what is no whole listing is an error and never an end [N2]") {
  const std::string whole = listing(object("a"));
  struct Row {
    std::string xml, why;
  };
  const Row rows[] = {
      {"", "no XML"},
      {"<html><body>busy</body></html>", "something else"},
      {"<Error><Code>SlowDown</Code></Error>", "something else"},
      {whole.substr(0, whole.size() - 5), "no XML"},
      {whole.substr(0, whole.find("<Size>")), "no XML"},
      {"<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>" + listing(object("&a;")),
       "document type"},
      {listing(object("")), "without key"},
      {listing("<Contents><Key>a</Key></Contents>"), "without key or size"},
      {listing("<Contents><Key>a</Key><Size>-1</Size></Contents>"), "no number"},
      {listing("<Contents><Key>a</Key><Size>99999999999999999999</Size></Contents>"), "no number"},
      {listing(object(std::string(1025, 'k'))), "1,024"},
      {listing(object(std::string(4000, 'k'))), "1,024"},
      {listing(object(uri_encode(std::string(1025, '/'))) + "<EncodingType>url</EncodingType>"),
       "1,024"},
      {listing(object("a") + "<Contents><StorageClass>" + std::string(1025, 'x') +
               "</StorageClass></Contents>"),
       "1,024"},
      {listing(object("a"), "true"), "how to ask for more"},
      {"<ListBucketResult></ListBucketResult>", "whether it is whole"},
      {listing("<A>" + std::string(20'000, 'x') + "</A>"), "text without end"},
      {listing("<A b=\"" + std::string(200'000, 'x')), "without end"},
      {listing("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"), "too deeply"}};
  for (const Row& row : rows) {
    const Page page = read(row.xml, 1000);
    INFO(row.why);
    REQUIRE(page.error);
    INFO(page.error->message);
    CHECK(page.error->kind == ErrorKind::Transient);
    CHECK(page.error->message.find(row.why) != std::string::npos);
    CHECK(page.objects.empty());
  }
}

TEST_CASE("a page has 10,000 objects at most") {
  std::string most;
  for (std::size_t i = 0; i < ListingReader::kMostObjects; ++i) most += object("k");
  const Page page = read(listing(most), 100'000);
  REQUIRE_FALSE(page.error);
  CHECK(page.objects.size() == ListingReader::kMostObjects);
  const Page larger = read(listing(most + object("k")), 100'000);
  REQUIRE(larger.error);
  CHECK(larger.error->kind == ErrorKind::Transient);
  CHECK(larger.error->message.find("more than 10,000 objects") != std::string::npos);
  CHECK(larger.objects.empty());
}

TEST_CASE("the sink's error ends the listing with that") {
  int taken = 0;
  ListingReader reader([&](ListedObject) -> Result<void> {
    ++taken;
    return fail(ErrorKind::Stopped, "enough");
  });
  const std::string xml = listing(object("a") + object("b"));
  REQUIRE(reader.add(bytes_of(xml)));
  CHECK(taken == 0);
  const auto end = reader.finish();
  REQUIRE_FALSE(end);
  CHECK(end.error().kind == ErrorKind::Stopped);
  CHECK(taken == 1);
  CHECK_FALSE(reader.finish());
  CHECK(taken == 1);
}

TEST_CASE("an ETag is taken without its quotes") {
  CHECK(bare_etag("\"abc-2\"") == "abc-2");
  CHECK(bare_etag("abc") == "abc");
  CHECK(bare_etag("W/\"abc\"") == "W/\"abc\"");
  CHECK(bare_etag("\"") == "\"");
}
