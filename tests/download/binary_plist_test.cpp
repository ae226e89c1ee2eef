#include "agent/download/binary_plist.hpp"

#include <string>

#include "tests/download/list_text.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

// Made by plistlib of Python 3.11 (FMT_BINARY): {"URL": "https://files.example/a/b.png?x=1"}.
constexpr std::string_view kOneKey =
    "62706c6973743030d101025355524c5f102168747470733a2f2f66696c65732e6578616d706c"
    "652f612f622e706e673f783d31080b0f00000000000001010000000000000003000000000000"
    "00000000000000000033";
// {"Name": "x", "URL": "https://files.example/b\u00fc\U0001F600.png", "Zed": [1, 2]}.
constexpr std::string_view kThreeKeys =
    "62706c6973743030d3010203040506544e616d655355524c535a656451786f101e0068007400"
    "7400700073003a002f002f00660069006c00650073002e006500780061006d0070006c006500"
    "2f006200fcd83dde00002e0070006e0067a2070810011002080f14181c1e5d60620000000000"
    "000101000000000000000900000000000000000000000000000064";

std::string from_hex(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
  return bytes;
}

}  // namespace

TEST_CASE("a shortcut of macOS in its binary form holds one URL") {
  const auto one = read_list("x.webloc", from_hex(kOneKey));
  CHECK(one.broken.empty());
  REQUIRE(one.items.size() == 1);
  CHECK(one.items[0].url == "https://files.example/a/b.png?x=1");
  CHECK(one.items[0].line == 1);
  const auto three = text_in_binary_plist(from_hex(kThreeKeys), "URL");
  CHECK(three == "https://files.example/b\xC3\xBC\xF0\x9F\x98\x80.png");
  CHECK(text_in_binary_plist(from_hex(kThreeKeys), "Name") == "x");
  CHECK_FALSE(text_in_binary_plist(from_hex(kThreeKeys), "Zed"));
  CHECK_FALSE(text_in_binary_plist(from_hex(kThreeKeys), "None"));
}

// The sanitizers watch that nothing else is read.
TEST_CASE("a broken binary property list is read to no harm") {
  for (const auto digits : {kOneKey, kThreeKeys}) {
    const std::string whole = from_hex(digits);
    for (std::size_t n = 0; n < whole.size(); ++n) {
      static_cast<void>(text_in_binary_plist(whole.substr(0, n), "URL"));
      for (int value = 0; value < 256; ++value) {
        std::string changed = whole;
        changed[n] = static_cast<char>(value);
        static_cast<void>(text_in_binary_plist(changed, "URL"));
      }
    }
  }
  CHECK(read_list("x.webloc", "bplist00").broken ==
        "x.webloc:1: there is no URL in the property list");
  CHECK(read_list("x.webloc", "bplist00" + std::string(70'000, 'x')).broken ==
        "x.webloc:1: the property list is longer than 64 KiB");
}
