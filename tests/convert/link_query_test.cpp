#include "agent/convert/link_query.hpp"

#include "agent/convert/api_error.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

constexpr std::string_view kCanary = "CANARY77";

bool leaks(const std::string& text) { return text.find(kCanary) != text.npos; }

}  // namespace

TEST_CASE("no part of a presigned link but its place is left in a text [M3]") {
  const char* const texts[] = {
      "cannot fetch https://b.s3.amazonaws.com/a?X-Amz-Algorithm=AWS4&X-Amz-Signature=CANARY77",
      "cannot fetch \"https://b.s3.amazonaws.com/a.png?X-Amz-Credential=CANARY77\" (403)",
      "<a href='https://h/p?sig=CANARY77'>",
      "a.png?X-Amz-Security-Token=CANARY77",
      "/b/a.png?x=1&token=CANARY77",
      "HTTPS://H/P?CANARY77",
      "https%3A%2F%2Fh%2Fp%3FX-Amz-Signature%3DCANARY77",
      "https://h/log?u=https%3A%2F%2Fb%2Fp%3Fsig%3DCANARY77",
      "x-amz-signature=CANARY77",
      "bad Signature=CANARY77&Expires=1",
      "&X-Goog-Signature=CANARY77",
      "https://d.cloudfront.net/a;Policy=CANARY77",
      "one https://h/a?sig=1 and two https://h/b?sig=CANARY77",
      "https://h/a?x\nhttps://h/b?CANARY77",
  };
  for (const char* text : texts) {
    CAPTURE(text);
    CHECK_FALSE(leaks(without_queries(text)));
    CHECK(without_queries(text).find("(hidden)") != std::string::npos);
  }
  CHECK(without_queries("see https://h/a.png?sig=1 there") == "see https://h/a.png?(hidden) there");
}

TEST_CASE("words that are no link stay as they are [M3]") {
  for (const char* text : {"", "why? because size=3", "the signature is missing",
                           "https://h/p is away", "what?! a=b", " a  b\n", "policy", "50% of x"}) {
    CHECK(without_queries(text) == text);
  }
}

TEST_CASE("what an answer says is cleaned of queries, whatever carries it [M3]") {
  const auto own = parse_api_error(
      R"({"error":{"code":"https://h/?sig=CANARY77","message":"at https:\/\/h\/a\u003fX-Amz-Signature\u003dCANARY77"}})");
  REQUIRE(own);
  HttpHead head;
  head.status = 422;
  const Error error = error_of_answer(head, own, {});
  CHECK_FALSE(leaks(error.message));
  CHECK(error.message.find("https://h/a?(hidden)") != std::string::npos);
  head.status = 307;
  head.headers = {{"location", "https://other/a%3FX-Amz-Signature%3DCANARY77"}};
  CHECK_FALSE(leaks(error_of_answer(head, std::nullopt, {}).message));
}
