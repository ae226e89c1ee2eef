#include "agent/serve/multipart.hpp"

#include <vector>

#include "tests/support/catch.hpp"

namespace millrace::serve {
namespace {

class Collector final : public PartSink {
 public:
  Result<void> begin(const PartHead& head) override {
    text += "[" + head.name + "|" + head.filename + "]";
    return {};
  }
  Result<void> data(std::string_view bytes) override {
    text += bytes;
    return {};
  }
  Result<void> end() override {
    text += ";";
    return {};
  }
  std::string text;
};

Result<std::string> parse(std::string_view form, std::size_t piece,
                          std::string_view boundary = "B") {
  Collector sink;
  MultipartParser parser(boundary, sink);
  for (std::size_t at = 0; at < form.size(); at += piece) {
    if (auto fed = parser.feed(form.substr(at, piece)); !fed) return std::unexpected(fed.error());
  }
  if (auto finished = parser.finish(); !finished) return std::unexpected(finished.error());
  return sink.text;
}

const std::string kFile =
    "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n"
    "Content-Type: image/png\r\n\r\n";
const std::string kHead = "--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n";

}  // namespace

TEST_CASE("a form gives the same parts however it is cut into pieces") {
  const std::string form = kFile + "a\r\n--\r\n--Bx\r\n-\r\r\n--\r\n--B\r\n" + kHead.substr(5) +
                           "\r\n" + kHead + "webp\r\n--B--\r\n";
  // A line that begins with the boundary is a boundary, so `--Bx` ends the part.
  for (std::size_t piece = 1; piece < 80; ++piece) CHECK(!parse(form, piece));
  const std::string good =
      kFile + "a\r\n--\r\n--C\r\n-\r\r\n--\r\n" + kHead + "\r\n" + kHead + "webp\r\n--B--\r\n";
  for (std::size_t piece = 1; piece < good.size() + 1; ++piece) {
    INFO(piece);
    const auto parsed = parse(good, piece);
    REQUIRE(parsed);
    CHECK(*parsed == "[file|a.png]a\r\n--\r\n--C\r\n-\r\r\n--;[x|];[x|]webp;");
  }
}

TEST_CASE("what is not a clean form is refused in every cut") {
  const std::string tail = "v\r\n--B--\r\n";
  const auto with = [&](const std::string& head) { return "--B\r\n" + head + "\r\n\r\n" + tail; };
  const std::vector<std::string> hostile = {
      "",
      "--B",
      "--B--",
      "preamble\r\n" + kHead + tail,
      "\r\n" + kHead + tail,
      kHead + "v",
      kHead + "v\r\n--B",
      kHead + "v\r\n--B-",
      kHead + "v\r\n--B \r\n",
      kHead + "v\r\n--B--\r\nmore",
      kHead + "v\r\n--B--more",
      kHead + "v\n--B--\n",
      with("Content-Disposition: attachment; name=\"x\""),
      with("Content-Disposition: form-data"),
      with("Content-Disposition: form-data; name="),
      with("Content-Disposition: form-data; name=\"\""),
      with("Content-Disposition: form-data; name=\"x"),
      with("Content-Disposition: form-data; name=\"x\"; name=\"y\""),
      with("Content-Disposition: form-data; name=\"x\" junk"),
      with("Content-Disposition: form-data; name=\"x\"; filename*=UTF-8''a"),
      with("Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; "
           "name=\"y\""),
      with("Content-Disposition: form-data; name=\"x\"\r\nContent-Transfer-Encoding: base64"),
      with("Content-Disposition: form-data; name=\"x\"\r\n folded: 1"),
      with("Content-Disposition : form-data; name=\"x\""),
      with("Content-Type: text/plain"),
      with("no colon"),
      with(std::string("Content-Disposition: form-data; name=\"x\0y\"", 43)),
      with("Content-Disposition: form-data; name=\"x\"\r\nX: " + std::string(9000, 'a')),
      with("Content-Disposition: form-data; name=\"" + std::string(200, 'n') + "\""),
  };
  for (const std::string& form : hostile) {
    INFO(form);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
      const auto parsed = parse(form, piece);
      REQUIRE(!parsed);
      CHECK(parsed.error().kind == ErrorKind::Input);
    }
  }
}

TEST_CASE("a head that never ends and parts without end are refused") {
  CHECK(!parse("--B\r\n" + std::string(1'000'000, 'a'), 1000));
  std::string many;
  for (int i = 0; i < 65; ++i) many += kHead + "v\r\n";
  CHECK(!parse(many + "--B--\r\n", 4096));
}

TEST_CASE("a quoted file name keeps its quotes and backslashes as text") {
  const auto parsed = parse(
      "--B\r\ncontent-disposition: Form-Data; filename=\"..\\\\\\\"e;vil\\\".png\"; "
      "name=file\r\n\r\n"
      "v\r\n--B--",
      5);
  REQUIRE(parsed);
  CHECK(*parsed == "[file|..\\\"e;vil\".png]v;");
}

TEST_CASE("only a boundary that the RFC permits is taken") {
  CHECK(multipart_boundary("multipart/form-data; boundary=abc").value() == "abc");
  CHECK(multipart_boundary("Multipart/Form-Data; charset=x; boundary=\"a b\"").value() == "a b");
  for (const std::string type :
       {"", "multipart/form-data", "multipart/mixed; boundary=a",
        "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a",
        "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=\"a\\\x01\"", "text/plain; boundary=a"}) {
    INFO(type);
    CHECK(!multipart_boundary(type));
  }
  CHECK(!multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'a')));
}

}  // namespace millrace::serve
