#include "agent/s3/uri.hpp"

#include "tests/support/catch.hpp"

using namespace millrace;

TEST_CASE("every byte but the unreserved ones is encoded") {
  CHECK(uri_encode("AZaz09-._~") == "AZaz09-._~");
  CHECK(uri_encode("a b/ü€+&=%!*'()") == "a%20b%2F%C3%BC%E2%82%AC%2B%26%3D%25%21%2A%27%28%29");
  CHECK(uri_encode("../a//b/", Slash::Keep) == "../a//b/");
  CHECK(uri_encode(std::string_view("\0\xFF\n", 3)) == "%00%FF%0A");
}

TEST_CASE("what was encoded comes back, and what is no code stays") {
  std::string all;
  for (int b = 0; b < 256; ++b) all += static_cast<char>(b);
  CHECK(uri_decode(uri_encode(all)) == all);
  CHECK(uri_decode("%e2%82%ac") == "€");
  CHECK(uri_decode("a+b") == "a+b");
  CHECK(uri_decode("100%") == "100%");
  CHECK(uri_decode("%4") == "%4");
  CHECK(uri_decode("%4g%g4%") == "%4g%g4%");
}

TEST_CASE("a query is sorted by encoded name, then by encoded value") {
  // `-` sorts before `=`: the names are compared, not the pairs as text.
  CHECK(canonical_query({{"a-b", "1"}, {"a", "2"}, {"A", "3"}, {"a", "10"}}) ==
        "A=3&a=10&a=2&a-b=1");
  CHECK(canonical_query({{"uploads", ""}}) == "uploads=");
  CHECK(canonical_query({}).empty());
}

TEST_CASE("a path is normalised as other services want it") {
  struct Row {
    std::string_view from, to;
  };
  const Row rows[] = {{"/", "/"},          {"", "/"},           {"//", "/"},
                      {"/a//b", "/a/b"},   {"/./a/.", "/a"},    {"/a/../b", "/b"},
                      {"/../a", "/a"},     {"/a/b/../", "/a/"}, {"/a/./b/", "/a/b/"},
                      {"/a/...", "/a/..."}};
  for (const Row& row : rows) {
    INFO(row.from);
    CHECK(normalized_path(row.from) == row.to);
  }
}
