// [events]: where stores push events to.
#include "config/load.hpp"
#include "tests/config/native_text.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using test::native_text;

namespace {

const Surroundings kAround{"/home/ann", "/home/ann/.local/state/millrace", true};

LoadResult load(const std::string& keys) {
  return load_settings("[events]\n" + keys, "/etc/m/config.toml", kAround);
}

void check_said(const std::string& keys, std::string_view part) {
  const auto loaded = load(keys);
  REQUIRE_FALSE(loaded);
  const std::string said = to_text(loaded.error(), "c");
  INFO(said);
  CHECK(said.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("nothing listens for events unless an address is named") {
  CHECK(load_settings("", "/etc/m/config.toml", kAround)->events.listen == "off");
  const auto loaded = load("listen = \"127.0.0.1:8652\"\nsecret = { file = \"push.key\" }\n");
  REQUIRE(loaded);
  CHECK(loaded->events.listen == "127.0.0.1:8652");
  CHECK(loaded->events.secret.where == SecretRef::Where::File);
  CHECK(loaded->events.secret.name == native_text("/etc/m/push.key"));
  CHECK(load("listen = \"[::1]:8652\"\nsecret = { env = \"S\" }\n"));
  CHECK(
      load("listen = \"0.0.0.0:8652\"\nsecret = { env = \"S\" }\n"
           "certificate = \"c.pem\"\nprivate_key = \"k.pem\"\n"));
}

TEST_CASE("events without a secret, an address or TLS are refused") {
  const std::string secret = "secret = { env = \"S\" }\n";
  check_said("listen = \"127.0.0.1:8652\"\n", "has no `secret`");
  check_said("listen = \"8652\"\n" + secret, "an address and a port");
  check_said("listen = \"0.0.0.0:8652\"\n" + secret, "unencrypted");
  check_said("listen = \"127.0.0.1:8652\"\ncertificate = \"c.pem\"\n" + secret, "belong together");
  check_said("listne = \"off\"\n", "did you mean `listen`");
}
