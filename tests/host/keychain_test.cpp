#include "platform/host/keychain.hpp"

#include <algorithm>

#include "tests/support/catch.hpp"

namespace millrace {

TEST_CASE("a key goes to the keychain as digits that no quoting can change [M6]") {
  CHECK(keychain::line_to_store("ctf", "a \"'\\k").value() ==
        "add-generic-password -U -s Millrace -a ctf -X 612022275c6b\n");
}

TEST_CASE("no command line holds the key [M6]") {
  for (const auto& words : {keychain::words_to_read("ctf"), keychain::words_to_remove("ctf")}) {
    CHECK(std::ranges::find(words, "ctf") != words.end());
    CHECK(std::ranges::find(words, "Millrace") != words.end());
  }
}

TEST_CASE("a key that the keychain would say back in another form is refused [M6]") {
  for (const std::string_view bad : {"gr\xc3\xbc\xc3\x9f", "a\tb", "a\nb", "\x7f"}) {
    const auto refused = keychain::line_to_store("ctf", bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Configuration);
    CHECK(refused.error().message.find(bad) == std::string::npos);
  }
}

TEST_CASE("a key that fits into no line of the tool is refused, not cut [M6]") {
  const std::string longest(1900, 'k');
  // With the longest name there is, and the end of the line.
  CHECK(keychain::line_to_store(std::string(64, 'n'), longest).value().size() < 4096);
  const auto refused = keychain::line_to_store("ctf", longest + "k");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("1900 bytes") != std::string::npos);
  CHECK(refused.error().message.find("kkk") == std::string::npos);
}

TEST_CASE("how the tool of the keychain ends, in words that say what to do [M6]") {
  struct Row {
    int status;
    ErrorKind kind;
    std::string_view words;
  };
  const auto row = GENERATE(values<Row>({
      {44, ErrorKind::Vanished, "not in the login keychain"},
      {36, ErrorKind::Transient, "unlock-keychain"},
      {51, ErrorKind::Transient, "was refused"},
      {37, ErrorKind::Configuration, "no login keychain"},
      {50, ErrorKind::Configuration, "no login keychain"},
      {128, ErrorKind::Transient, "refused in a window"},
      {7, ErrorKind::Configuration, "status 7"},
  }));
  const Error error = keychain::error_of(row.status, "ctf");
  CHECK(error.kind == row.kind);
  CHECK(error.message.find(row.words) != std::string::npos);
  CHECK(error.message.find("`ctf`") != std::string::npos);
}

}  // namespace millrace
