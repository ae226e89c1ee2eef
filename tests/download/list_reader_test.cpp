#include "agent/download/list_reader.hpp"

#include "tests/download/list_text.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

const std::string kHash(64, 'a');

}  // namespace

TEST_CASE("a text is a URL a line, with a name if there is one") {
  const auto list = read_list("l.txt",
                              "\xEF\xBB\xBF# a comment\r\nhttps://h/a.png\r\n\n"
                              "  https://h/b?x=1\t two words.png  \nhttps://h/last");
  CHECK(list.wrong.empty());
  REQUIRE(list.items.size() == 3);
  CHECK(list.items[0].url == "https://h/a.png");
  CHECK(list.items[0].name.empty());
  CHECK(list.items[0].line == 2);
  CHECK(list.items[1].url == "https://h/b?x=1");
  CHECK(list.items[1].name == "two words.png");
  CHECK(list.items[1].line == 4);
  CHECK(list.items[2].url == "https://h/last");
}

TEST_CASE("columns of CSV are found by their names, in any order") {
  const auto list =
      read_list("l.csv", "Size, name ,x,URL,sha256\r\n12,\"a, \"\"b\"\"\nc.png\",,https://h/1," +
                             kHash + "\r\n,,,https://h/2\n\n");
  CHECK(list.wrong.empty());
  REQUIRE(list.items.size() == 2);
  CHECK(list.items[0].url == "https://h/1");
  CHECK(list.items[0].name == "a, \"b\"\nc.png");
  CHECK(list.items[0].size == 12);
  CHECK(list.items[0].sha256 == kHash);
  CHECK(list.items[1].url == "https://h/2");
  CHECK(list.items[1].line == 4);
  CHECK_FALSE(list.items[1].size);
}

TEST_CASE("JSON lines have the same members") {
  const auto list = read_list("l.jsonl", R"({"url":"https://h/1","name":"a","size":7,"more":[1]})"
                                         "\n"
                                         R"({"url":"https://h/2","size":"8","name":null})"
                                         "\n");
  REQUIRE(list.items.size() == 2);
  CHECK(list.items[0].name == "a");
  CHECK(list.items[0].size == 7);
  CHECK(list.items[1].size == 8);
}

TEST_CASE("a shortcut of Windows holds one URL") {
  const auto list = read_list("x.url",
                              "[{000214A0-0000-0000-C000-000000000046}]\r\nURL=https://h/no\r\n"
                              "[InternetShortcut]\r\nIconIndex=0\r\nURL=https://h/a=b\r\n");
  REQUIRE(list.items.size() == 1);
  CHECK(list.items[0].url == "https://h/a=b");
  CHECK(read_list("x.url", "[InternetShortcut]\n").broken.starts_with("x.url:1: "));
}

TEST_CASE("the kind is told by the name, then by the content") {
  const struct {
    const char *name, *begins;
    ListKind kind;
  } rows[] = {{"a.CSV", "x", ListKind::Csv},
              {"a.ndjson", "x", ListKind::JsonLines},
              {"a.meta4", "x", ListKind::Xml},
              {"a.metalink", "x", ListKind::Xml},
              {"a.webloc", "x", ListKind::Xml},
              {"a.webloc", "bplist00", ListKind::Plist},
              {"a.url", "x", ListKind::Shortcut},
              {"-", " {\"url\"", ListKind::JsonLines},
              {"-", "\xEF\xBB\xBF<?xml", ListKind::Xml},
              {"-", "[InternetShortcut]", ListKind::Shortcut},
              {"-", "name,\"URL\"\n", ListKind::Csv},
              {"-", "https://h/a,url,b\n", ListKind::Csv},
              {"-", "https://h/url\n", ListKind::Text},
              {"a.txt", "", ListKind::Text}};
  for (const auto& row : rows) {
    CAPTURE(row.name, row.begins);
    CHECK(kind_of_list(row.name, row.begins) == row.kind);
  }
}

TEST_CASE("a wrong item is told with its place, and the next one is read") {
  const auto text = read_list("l", "ftp://h/a\nhttps://h/ok\nfile:///etc/passwd\n" +
                                       std::string(70'000, 'x') + "\nhttps://h/end\n");
  REQUIRE(text.wrong.size() == 3);
  CHECK(text.wrong[0] == "l:1: a URL must begin with https://");
  CHECK(text.wrong[1].starts_with("l:3: "));
  CHECK(text.wrong[2] == "l:4: the line is longer than 64 KiB");
  CHECK(text.items.size() == 2);

  const auto csv = read_list("l.csv", "url,sha256,size\n,,\nhttps://h/1,abc,\nhttps://h/2,,-1\n\"" +
                                          std::string(70'000, 'x') + "\"\nhttps://h/3\n");
  REQUIRE(csv.wrong.size() == 4);
  CHECK(csv.wrong[0] == "l.csv:2: there is no URL");
  CHECK(csv.wrong[1] == "l.csv:3: the SHA-256 must be 64 hex digits");
  CHECK(csv.wrong[2] == "l.csv:4: the size must be a number of bytes");
  CHECK(csv.wrong[3] == "l.csv:5: the row is longer than 64 KiB");
  CHECK(csv.items.size() == 1);

  const auto json = read_list("l.jsonl", "[]\n{\"url\":\n{\"url\":5.5}\n{\"url\":\"https://h\"}\n");
  REQUIRE(json.wrong.size() == 3);
  CHECK(json.wrong[0].starts_with("l.jsonl:1: write an object"));
  CHECK(json.wrong[2] == "l.jsonl:3: `url` is no text");
  CHECK(json.items.size() == 1);
}

TEST_CASE("a list that makes no sense as a whole ends with what to do") {
  CHECK(read_list("l.csv", "link,name\nhttps://h/1,a\n").broken ==
        "l.csv:1: no column is named `url`; the first row must name the columns, as url,name");
  CHECK(read_list("l.csv", "").broken.starts_with("l.csv:1: "));
  CHECK(read_list("l.csv", "url\n\"https://h\n").broken.starts_with("l.csv:2: a quoted field"));
  const auto absent = ListReader::open("/nonexistent/list");
  REQUIRE_FALSE(absent);
  CHECK(absent.error().kind == ErrorKind::Configuration);
  CHECK_FALSE(ListReader::open("/"));
}

TEST_CASE("a list is read the same however it is cut") {
  const std::string text = "\xEF\xBB\xBFhttps://h/1 a\nhttps://h/2\n";
  const std::string csv = "\xEF\xBB\xBFurl,name\n\"https://h/1\",\"a\"\nhttps://h/2,\n";
  for (const std::size_t piece : {1, 2, 3, 5, 1000}) {
    CAPTURE(piece);
    for (const auto& items : {parse_in_pieces(ListKind::Text, text, piece),
                              parse_in_pieces(ListKind::Csv, csv, piece)}) {
      REQUIRE(items.size() == 2);
      CHECK(items[0].url == "https://h/1");
      CHECK(items[0].name == "a");
      CHECK(items[1].url == "https://h/2");
    }
  }
}

TEST_CASE("a list on disk is opened and read") {
  const Scratch scratch;
  write_file(scratch / "l.txt", "https://h/1\n");
  auto reader = ListReader::open(scratch / "l.txt");
  REQUIRE(reader);
  const auto item = reader->next();
  REQUIRE(item);
  REQUIRE(*item);
  CHECK((*item)->url == "https://h/1");
  CHECK_FALSE(reader->next()->has_value());
}

namespace {

// Gives what it has, and then fails.
class BrokenBuffer final : public std::streambuf {
 public:
  explicit BrokenBuffer(std::string text) : text_(std::move(text)) {
    setg(text_.data(), text_.data(), text_.data() + text_.size());
  }

 protected:
  int_type underflow() override { throw std::runtime_error("the share is gone"); }

 private:
  std::string text_;
};

}  // namespace

TEST_CASE("of a list that breaks off its last line is half a line, and never asked for") {
  BrokenBuffer buffer("https://h/1\nhttps://h/half");
  std::istream in(&buffer);
  ListReader reader(in, "l");
  const auto first = reader.next();
  REQUIRE((first && *first));
  CHECK((*first)->url == "https://h/1");
  CHECK(reader.next().error().kind == ErrorKind::Environment);
  const auto end = reader.next();
  CHECK((end && !*end));
}
