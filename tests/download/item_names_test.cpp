#include "agent/download/item_names.hpp"

#include "platform/fs/path_text.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

ListItem item(std::string url, std::string name = "") {
  ListItem made;
  made.url = std::move(url);
  made.name = std::move(name);
  return made;
}

}  // namespace

TEST_CASE("a name comes from the list, else from the URL") {
  CHECK(item_name(item("https://h/x/a.png?q=1", "b.png")) == "b.png");
  CHECK(item_name(item("https://h/x/a%20b.png?q=1")) == "a b.png");
  CHECK(item_name(item("https://h/x/a.png", "dir/sub/c.png")) == "dir/sub/c.png");
  CHECK(item_name(item("https://h/")) == "download");
  CHECK(item_name(item("https://h")) == "download");
}

TEST_CASE("whatever a list or a URL says, the name stays beneath the folder [K7]") {
  for (const char* hostile :
       {"../../etc/passwd", "/etc/passwd", "..\\..\\x", "C:\\x", "a//b", "./a", "a/../../b", "CON",
        "a\nb", "..", ".", "/", "a/", ".millrace-agent-0123456789abcdef.tmp"}) {
    CAPTURE(hostile);
    for (const auto& made :
         {item("https://h/f", hostile), item("https://h/" + std::string(hostile))}) {
      for (const Name& name : {item_name(made), other_item_name(made)}) {
        CAPTURE(name);
        CHECK(check_relative_name(name));
        CHECK(name.find('\n') == name.npos);
        CHECK(name.find('\\') == name.npos);
        CHECK_FALSE(name.starts_with(".millrace-"));
      }
    }
  }
  CHECK(item_name(item("https://h/..%2f..%2fx")).find('/') == std::string::npos);
}

TEST_CASE("a taken name gets a mark of its own line before its extension") {
  const auto one = item("https://h/1/a.png"), two = item("https://h/2/a.png");
  CHECK(item_name(one) == item_name(two));
  CHECK(other_item_name(one) != other_item_name(two));
  CHECK(other_item_name(one).starts_with("a~"));
  CHECK(other_item_name(one).ends_with(".png"));
  CHECK(item_key(one) != item_key(two));
  CHECK(item_key(one) == item_key(item("https://h/1/a.png")));
  CHECK(item_key(one) != item_key(item("https://h/1/a.png", "b")));
}
