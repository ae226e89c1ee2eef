#include <filesystem>

#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"
#include "tests/support/catch.hpp"

namespace millrace {

TEST_CASE("SHA-256 gives the digests of FIPS 180-4 and can be used again") {
  Sha256 hash;
  hash.update("abc");
  CHECK(to_hex(hash.finish()) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(to_hex(hash.finish()) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("the distance of two words counts neighbours that changed places once") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("state_dri", "state_dir") == 1);
  CHECK(edit_distance("qality", "quality") == 1);
  CHECK(edit_distance("targt", "to") == 4);
  CHECK(edit_distance("dpi", "fit") == edit_distance("fit", "dpi"));
}

TEST_CASE("every kind has a name that leads back to it") {
  for (int i = 0; i <= static_cast<int>(ErrorKind::Defect); ++i) {
    const auto kind = static_cast<ErrorKind>(i);
    CHECK(error_kind_from(to_string(kind)) == kind);
  }
  CHECK(error_kind_from("nonsense") == ErrorKind::Defect);
}

TEST_CASE("context stands in front of a message") {
  const Error error = with_context(Error{ErrorKind::Input, "empty", 0, {}}, "a.png").error();
  CHECK(error.message == "a.png: empty");
  CHECK(error.kind == ErrorKind::Input);
}

TEST_CASE("names from the world are safe on one line [A17] [K6]") {
  CHECK(printable("Grüße 😀.png") == "Grüße 😀.png");
  CHECK(printable("a\nb\x1b[31m") == "a\\x0ab\\x1b[31m");
  CHECK(printable("\xff\xc0\xaf") == "\\xff\\xc0\\xaf");
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // a surrogate is not UTF-8
  CHECK(printable("x\xe2\x80\xaegnp.exe") == "x\\xe2\\x80\\xaegnp.exe");  // right-to-left override
  const bool windows = std::filesystem::path::preferred_separator == '\\';
  CHECK(printable("a\\x0a") == (windows ? "a\\x0a" : "a\\\\x0a"));
  CHECK(printable(std::string(50, 'a'), 10) == "aaaaaaaaaaa...");
}

TEST_CASE("a manual clock turns both times together") {
  ManualClock clock;
  const TimePoint before = clock.now();
  const WallTime wall_before = clock.wall_now();
  clock.advance(std::chrono::seconds{2});
  CHECK(clock.now() - before == std::chrono::seconds{2});
  CHECK(clock.wall_now() - wall_before == std::chrono::seconds{2});
}

}  // namespace millrace
