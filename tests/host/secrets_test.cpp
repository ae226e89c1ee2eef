// The contract of secrets on every system.
#include "platform/base/advice.hpp"
#include "platform/base/permissions.hpp"
#include "platform/host/host.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/strangers.hpp"

namespace millrace {
namespace {

using test::Readers;
using test::Scratch;

bool has(const Error& error, const std::string& text) {
  return error.message.find(text) != std::string::npos;
}

// Files that others may read although they are secrets.
bool is_private(const std::filesystem::path& path) {
  constexpr auto kOthers = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
  std::error_code problem;
  const auto mode = permissions_of(path, problem);
  return !problem && (mode & kOthers) == std::filesystem::perms::none;
}

}  // namespace

TEST_CASE("a secret comes back, can be another one, and is gone when it is removed [M2]") {
  const Scratch home;
  const auto config = home / "gr\u00f6\u00dfe \U0001f4f7";
  REQUIRE(store_secret(config, "ctf", "CANARY"));
  CHECK(read_secret(config, "ctf").value() == "CANARY");
  REQUIRE(store_secret(config, "ctf", "NEW"));
  REQUIRE(store_secret(config, "other", std::string("with\0zero", 9)));
  CHECK(read_secret(config, "ctf").value() == "NEW");
  CHECK(read_secret(config, "other").value() == std::string("with\0zero", 9));
  REQUIRE(remove_secret(config, "ctf"));
  CHECK(remove_secret(config, "ctf").error().kind == ErrorKind::Configuration);
  const auto gone = read_secret(config, "ctf");
  REQUIRE_FALSE(gone);
  CHECK(gone.error().kind == ErrorKind::Configuration);
  CHECK(has(gone.error(), "millrace secret set ctf"));
}

TEST_CASE("nobody else may read a secret, its folder, or what is left of a write [M2]") {
  const Scratch home;
  REQUIRE(store_secret(home.path(), "ctf", "CANARY"));
  CHECK(is_private(home / "secrets"));
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(home / "secrets")) {
    CHECK(is_private(entry.path()));
    ++files;
  }
  CHECK(files == 1);
}

TEST_CASE("a secret that others may read is refused, with what mends it [M2]") {
  const Scratch home;
  REQUIRE(store_secret(home.path(), "ctf", "CANARY"));
  const auto kept = home / "secrets" / "ctf", own = home / "key";
  test::write_file(own, "CANARY\r\n");
  for (const Readers readers : {Readers::Everybody, Readers::Owner}) {
    test::set_readers(kept, readers);
    test::set_readers(own, readers);
    const auto stored = read_secret(home.path(), "ctf"), named = read_secret_file(own);
    if (readers == Readers::Owner) {
      CHECK(stored.value() == "CANARY");
      CHECK(named.value() == "CANARY");
      continue;
    }
    REQUIRE_FALSE(stored);
    REQUIRE_FALSE(named);
    CHECK(has(stored.error(), how_to_close(kept)));
    CHECK(has(named.error(), how_to_close(own)));
    CHECK_FALSE(has(named.error(), "CANARY"));
  }
}

TEST_CASE("a name that is a path, or none, is refused [M2]") {
  const Scratch home;
  for (const char* name : {"", "../x", "a/b", "a\\b", "a.b", "c:x", "\u00e4"}) {
    INFO(name);
    CHECK(store_secret(home.path(), name, "v").error().kind == ErrorKind::Configuration);
    CHECK(read_secret(home.path(), name).error().kind == ErrorKind::Configuration);
    CHECK(remove_secret(home.path(), name).error().kind == ErrorKind::Configuration);
  }
}

TEST_CASE("a secret that is too long is refused, not cut [M2]") {
  const Scratch home;
  const std::string longest(16 * 1024, 'k');
  test::write_file(home / "key", longest + "\n");
  test::set_readers(home / "key", Readers::Owner);
  CHECK(read_secret_file(home / "key").value() == longest);
  test::write_file(home / "key", longest + "k");
  const auto refused = read_secret_file(home / "key");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::Configuration);
  CHECK(has(refused.error(), "longer than 16384 bytes"));
  CHECK_FALSE(has(refused.error(), "kkk"));
  REQUIRE(store_secret(home.path(), "ctf", longest));
  CHECK(store_secret(home.path(), "ctf", longest + "k").error().kind == ErrorKind::Configuration);
  CHECK(read_secret(home.path(), "ctf").value() == longest);
}

}  // namespace millrace
