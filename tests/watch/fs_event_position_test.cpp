#include "platform/watch/fs_event_position.hpp"

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

constexpr FsEventPosition kPosition{{0xe6, 0x21, 0xe1, 0xf8, 0xc3, 0x6c, 0x49, 0x5a, 0x93, 0xfc,
                                     0x0c, 0x24, 0x7a, 0x3e, 0x6e, 0x5f},
                                    1234};
constexpr const char* kText = "E621E1F8-C36C-495A-93FC-0C247A3E6E5F:1234";

TEST_CASE("a position is a uuid and an id, and is read as it was written") {
  CHECK(position_text(kPosition) == kText);
  CHECK(parse_position(kText) == kPosition);
  const FsEventPosition largest{kPosition.history, ~std::uint64_t{0}};
  CHECK(parse_position(position_text(largest)) == largest);
  CHECK(position_text({kPosition.history, 0}).empty());
}

TEST_CASE("what is no position is not taken for one") {
  const std::string text = GENERATE(
      "", ":", "1234", ":1234", "E621E1F8-C36C-495A-93FC-0C247A3E6E5F",
      "E621E1F8-C36C-495A-93FC-0C247A3E6E5F:", "E621E1F8-C36C-495A-93FC-0C247A3E6E5F:0",
      "E621E1F8-C36C-495A-93FC-0C247A3E6E5F:01", "E621E1F8-C36C-495A-93FC-0C247A3E6E5F:-1",
      "E621E1F8-C36C-495A-93FC-0C247A3E6E5F:1x", "E621E1F8-C36C-495A-93FC-0C247A3E6E5F:1 ",
      "E621E1F8-C36C-495A-93FC-0C247A3E6E5F;1", "E621E1F8-C36C-495A-93FC-0C247A3E6E5F1",
      "E621E1F8-C36C-495A-93FC-0C247A3E6E5F:18446744073709551616",
      "e621e1f8-c36c-495a-93fc-0c247a3e6e5f:1", "E621E1F8C36C495A93FC0C247A3E6E5F:1",
      "E621E1F8-C36C-495A-93FC-0C247A3E6E5:1", "E621E1F8-C36C-495A-93FC-0C247A3E6EG0:1",
      "E621E1F8-C36C-495A-93FC-0C24-7A3E6E5F:1", " E621E1F8-C36C-495A-93FC-0C247A3E6E5F:1");
  CAPTURE(text);
  CHECK_FALSE(parse_position(text));
}

TEST_CASE("a stream begins after what was kept of this history, if that has happened") {
  const auto at = [](std::uint64_t id) { return FsEventPosition{kPosition.history, id}; };
  FsEventPosition other = at(5000);
  other.history[15] ^= 1;
  CHECK(begins_after(kText, at(5000)) == 1234);
  CHECK(begins_after(kText, at(1234)) == 1234);
  CHECK_FALSE(begins_after(kText, at(1233)));  // the ids have begun anew
  CHECK_FALSE(begins_after(kText, other));     // another history
  CHECK_FALSE(begins_after("", at(5000)));
  CHECK_FALSE(begins_after("nothing of ours", at(5000)));
  CHECK_FALSE(begins_after(position_text(at(~std::uint64_t{0})), at(5000)));
}

}  // namespace
}  // namespace millrace
