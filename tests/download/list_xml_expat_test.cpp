#include "tests/download/list_text.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

const std::string kOtherHash(64, 'b');

std::string metalink(const std::string& files) {
  return "<?xml version=\"1.0\"?>\n<metalink xmlns=\"urn:ietf:params:xml:ns:metalink\">\n" + files +
         "</metalink>\n";
}

std::string webloc(const std::string& type) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + type +
         "<plist version=\"1.0\"><dict><key>Other</key><string>https://h/no</string>"
         "<key>URL</key><string>https://h/a?b=1&amp;c=2</string></dict></plist>\n";
}

}  // namespace

TEST_CASE("a file of Metalink 4 has a name, a size, a hash and its best URL") {
  const std::string text = metalink(
      "<file name=\"dir/a.iso\"><size>14</size><hash type=\"md5\">00</hash>"
      "<hash type=\"sha-256\">" +
      kOtherHash +
      "</hash><url priority=\"2\">https://h/2</url><url priority=\"1\">https://h/1</url>"
      "<url>https://h/3</url></file>\n<file name=\"b\"><url>https://h/b</url></file>");
  for (const std::size_t piece : {1, 7, 100'000}) {
    const auto items = parse_in_pieces(ListKind::Xml, text, piece);
    REQUIRE(items.size() == 2);
    CHECK(items[0].name == "dir/a.iso");
    CHECK(items[0].size == 14);
    CHECK(items[0].sha256 == kOtherHash);
    CHECK(items[0].url == "https://h/1");
    CHECK(items[0].line == 3);
    CHECK(items[1].url == "https://h/b");
    CHECK(items[1].sha256.empty());
  }
}

TEST_CASE("a shortcut of macOS holds one URL, though it names a document type") {
  const std::string apple =
      "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
      "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n";
  for (const auto& type : {apple, std::string()}) {
    const auto list = read_list("x.webloc", webloc(type));
    CHECK(list.broken.empty());
    REQUIRE(list.items.size() == 1);
    CHECK(list.items[0].url == "https://h/a?b=1&c=2");
  }
}

TEST_CASE("XML that is no list says so, and a document type of its own is not taken") {
  const struct {
    std::string text, says;
  } rows[] = {
      {"<html></html>", "`html` is neither a metalink nor a property list"},
      {"<metalink>\n<files>", "x:2: this is Metalink 3"},
      {"<metalink>\n<file", "x:2: this is no XML"},
      {webloc("<!DOCTYPE plist [<!ENTITY a \"b\">]>\n"), "document type"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    std::istringstream in(row.text);
    const auto parser = make_list_parser(ListKind::Xml);
    Result<void> result = parser->add(std::as_bytes(std::span(row.text)), [](auto) {});
    if (result) result = parser->finish([](auto) {});
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == ErrorKind::Configuration);
    CHECK(("x:" + result.error().message).find(row.says) != std::string::npos);
  }
}

TEST_CASE("a file of a metalink without a URL of ours is one wrong item") {
  const auto list = read_list(
      "x.meta4", metalink("<file name=\"a\"><url>ftp://h/a</url></file>\n<file name=\"b\"/>\n"
                          "<file name=\"c\"><url>https://h/c</url></file>"));
  CHECK(list.items.size() == 1);
  REQUIRE(list.wrong.size() == 2);
  CHECK(list.wrong[1] == "x.meta4:4: there is no URL");
}
