#include "agent/convert/request_frame.hpp"

#include "agent/convert/api_converter.hpp"
#include "agent/convert/idempotency_key.hpp"
#include "platform/base/sha256.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;

namespace {
const std::string kContent = to_hex(sha256("hello"));
const ConvertRequest kRequest{.source_name = "a/b.PNG",
                              .target = "webp",
                              .options = {{"quality", "80"}, {"a\"b\r\n", "x y"}},
                              .key = "0123456789abcdef0123456789abcdef"};
}  // namespace

TEST_CASE("The key is the hash of a written-down text [E22]") {
  const std::string text = "millrace-key 1\naccount=https://a:443\ncontent=" + kContent +
                           "\ntarget=webp\noption a%3Db=c%0Ad%25\noption quality=80\n";
  const ConvertOptions options{{"quality", "80"}, {"a=b", "c\nd%"}};
  const std::string key = make_idempotency_key("https://a:443", kContent, "webp", options);
  CHECK(key == to_hex(sha256(text)).substr(0, 32));
  CHECK(make_idempotency_key("https://api.example:443", kContent, "webp", {{"quality", "80"}}) ==
        "4fecddccd9c204f456458a55508e6ed8");
}

TEST_CASE("Any difference makes another key, and none is ambiguous [E22]") {
  const auto key = [](const char* target, const ConvertOptions& options) {
    return make_idempotency_key("acc", kContent, target, options);
  };
  CHECK(key("webp", {}) != key("png", {}));
  CHECK(key("webp", {{"a", "b"}}) != key("webp", {{"a", "c"}}));
  CHECK(key("webp", {{"a", "b=c"}}) != key("webp", {{"a=b", "c"}}));
  CHECK(key("webp", {{"a", "b\noption c=d"}}) != key("webp", {{"a", "b"}, {"c", "d"}}));
  CHECK(key("webp", {{"a", "%0A"}}) != key("webp", {{"a", "\n"}}));
  CHECK(make_idempotency_key("other", kContent, "webp", {}) != key("webp", {}));
}

TEST_CASE("The multipart frame has these very bytes") {
  const auto frame =
      make_request_frame(UploadForm::Multipart, "https://x/v1/convert", kRequest, {});
  const std::string b = "--millrace-0123456789abcdef0123456789abcdef";
  CHECK(frame.url == "https://x/v1/convert");
  CHECK(frame.content_type == "multipart/form-data; boundary=" + b.substr(2));
  CHECK(frame.head ==
        b + "\r\nContent-Disposition: form-data; name=\"target\"\r\n\r\nwebp\r\n" + b +
            "\r\nContent-Disposition: form-data; name=\"a%22b%0D%0A\"\r\n\r\nx y\r\n" + b +
            "\r\nContent-Disposition: form-data; name=\"quality\"\r\n\r\n80\r\n" + b +
            "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"input.png\"\r\n"
            "Content-Type: application/octet-stream\r\n\r\n");
  CHECK(frame.tail == "\r\n" + b + "--\r\n");
  CHECK(frame.carries_file);
}

TEST_CASE("The raw form puts everything into the query") {
  CHECK(make_request_frame(UploadForm::Raw, "https://x/c?v=1", kRequest, {}).url ==
        "https://x/c?v=1&target=webp&a%22b%0D%0A=x%20y&quality=80");
  CHECK(make_request_frame(UploadForm::Raw, "https://x/c", {.target = "a&b"}, {}).url ==
        "https://x/c?target=a%26b");
}

TEST_CASE("The link form carries no file") {
  const auto frame =
      make_request_frame(UploadForm::Url, "https://x", kRequest, "https://bucket/k?sig=1");
  CHECK_FALSE(frame.carries_file);
  CHECK(frame.head.find("name=\"file_url\"\r\n\r\nhttps://bucket/k?sig=1\r\n") !=
        std::string::npos);
}

TEST_CASE("Only a plain extension leaves the house [K6]") {
  struct Row {
    const char *name, *extension;
  };
  for (const Row& row : {Row{"a.PNG", "png"}, Row{"x/y.tar.gz", "gz"}, Row{".hidden", "bin"},
                         Row{"a.b/noext", "bin"}, Row{"a.", "bin"}, Row{"a.p\"g", "bin"},
                         Row{"a.\xC3\xA9", "bin"}, Row{"a.elevenchars", "bin"}, Row{"", "bin"}}) {
    CAPTURE(row.name);
    CHECK(safe_extension(row.name) == row.extension);
  }
}

TEST_CASE("The account is scheme, host and port of the URL") {
  CHECK(account_of_url("https://Api.Example/v1/convert?x") == "https://api.example:443");
  CHECK(account_of_url("http://u:p@[::1]:80/x") == "http://[::1]:80");
  CHECK(account_of_url("http://[::1]/x") == "http://[::1]:80");
  CHECK(account_of_url("ftp://x") == "");
  CHECK(account_of_url("nothing") == "");
}
