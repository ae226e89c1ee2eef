#include "agent/transfer/url_parts.hpp"

#include "tests/support/catch.hpp"

using namespace millrace;

TEST_CASE("a redirect leads to https and nowhere else") {
  const std::string base = "https://h.example/a/b?c=1";
  CHECK(redirect_target(base, "x#y") == "https://h.example/a/x");
  CHECK(redirect_target(base, "/x?z") == "https://h.example/x?z");
  CHECK(redirect_target(base, "//o.example:8443/x") == "https://o.example:8443/x");
  for (const char* wrong : {"http://h.example/x", "file:///etc/passwd", "ftp://h/x",
                            "https://me:pw@h.example/", "https://"}) {
    CAPTURE(wrong);
    const auto target = redirect_target(base, wrong);
    REQUIRE_FALSE(target);
    CHECK(target.error().kind == ErrorKind::Input);
  }
  CHECK(redirect_target("http://127.0.0.1:1/a", "b") == "http://127.0.0.1:1/b");
}

TEST_CASE("an origin always has its port") {
  CHECK(origin_of("https://H.example/a") == "https://h.example:443");
  CHECK(origin_of("https://h.example:444/a") == "https://h.example:444");
  CHECK(origin_of("http://[::1]/") == "http://[::1]:80");
  CHECK(origin_of("nonsense:").empty());
}

TEST_CASE("the leaf of a path is decoded, and no query is in it") {
  CHECK(path_leaf("https://h/x/a%20b.png?c/d=e#f") == "a b.png");
  CHECK(path_leaf("https://h/..%2fetc%2fpasswd") == "../etc/passwd");
  CHECK(path_leaf("https://h/a/").empty());
  CHECK(path_leaf("https://h").empty());
}
