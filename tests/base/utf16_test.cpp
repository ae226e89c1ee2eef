#include "platform/base/utf16.hpp"

#include "platform/base/native_path.hpp"
#include "tests/support/catch.hpp"

namespace millrace {

TEST_CASE("UTF-16 and UTF-8 lead to one another") {
  struct Pair {
    std::u16string units;
    std::string text;
  };
  const Pair pair = GENERATE(values<Pair>({
      {u"", ""},
      {u"a.png", "a.png"},
      {u"\u00fc", "\xc3\xbc"},
      {u"\u20ac", "\xe2\x82\xac"},
      {u"\U0001f600", "\xf0\x9f\x98\x80"},
      {u"\U0010ffff", "\xf4\x8f\xbf\xbf"},
      {u"u\u0308", "u\xcc\x88"},  // a decomposed umlaut stays one
      {{char16_t{0xd800}, u'x'}, "\xed\xa0\x80x"},
      {{u'x', char16_t{0xdfff}}, "x\xed\xbf\xbf"},
      {{char16_t{0xdc00}, char16_t{0xd800}}, "\xed\xb0\x80\xed\xa0\x80"},
      {{char16_t{0xd83d}, char16_t{0xd83d}, char16_t{0xde00}}, "\xed\xa0\xbd\xf0\x9f\x98\x80"},
  }));
  CHECK(from_utf16(pair.units) == pair.text);
  CHECK(to_utf16(pair.text) == pair.units);
}

TEST_CASE("every unit alone comes back") {
  for (unsigned unit = 1; unit <= 0xffff; ++unit) {
    const std::u16string one(1, static_cast<char16_t>(unit));
    REQUIRE(to_utf16(from_utf16(one)) == one);
  }
}

TEST_CASE("texts that no name gives are refused, so that no two texts are one name") {
  for (const std::string_view bad : {"\xff", "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf",
                                     "\xf4\x90\x80\x80", "\xed\xa0\xbd\xed\xb8\x80", "a\xe2\x82"}) {
    CHECK_FALSE(to_utf16(bad));
  }
}

TEST_CASE("a text that became a path comes back from it") {
  for (const std::string_view text : {"a/b.png", "\xc3\xbc/\xf0\x9f\x98\x80", "\xed\xa0\x80x", ""})
    CHECK(generic_path_text(native_path(text)) == text);
  CHECK(path_text(native_path("\xc3\xbc")) == "\xc3\xbc");
}

}  // namespace millrace
