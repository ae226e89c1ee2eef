// [events]: where stores push events to.
#include "config/load.hpp"
#include "tests/config/native_text.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using test::native_text;

namespace {

const Surroundings kHome{"/home/ann", "/home/ann/.local/state/millrace", true};

LoadResult load_events(const std::string& keys) {
  return load_settings("[events]\n" + keys, "/etc/m/config.toml", kHome);
}

void check_refused(const std::string& keys, std::string_view part) {
  const auto loaded = load_events(keys);
  REQUIRE_FALSE(loaded);
  const std::string said = to_text(loaded.error(), "c");
  INFO(said);
  CHECK(said.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("nothing listens for events unless an address is named") {
  CHECK(load_settings("", "/etc/m/config.toml", kHome)->events.listen == "off");
  const auto loaded =
      load_events("listen = \"127.0.0.1:8652\"\nsecret = { file = \"push.key\" }\n");
  REQUIRE(loaded);
  CHECK(loaded->events.listen == "127.0.0.1:8652");
  CHECK(loaded->events.secret.where == SecretRef::Where::File);
  CHECK(loaded->events.secret.name == native_text("/etc/m/push.key"));
  CHECK(load_events("listen = \"[::1]:8652\"\nsecret = { env = \"S\" }\n"));
  CHECK(
      load_events("listen = \"0.0.0.0:8652\"\nsecret = { env = \"S\" }\n"
                  "certificate = \"c.pem\"\nprivate_key = \"k.pem\"\n"));
}

TEST_CASE("events without a secret, an address or TLS are refused") {
  const std::string secret = "secret = { env = \"S\" }\n";
  check_refused("listen = \"127.0.0.1:8652\"\n", "has no `secret`");
  check_refused("listen = \"8652\"\n" + secret, "an address and a port");
  check_refused("listen = \"0.0.0.0:8652\"\n" + secret, "unencrypted");
  check_refused("listen = \"127.0.0.1:8652\"\ncertificate = \"c.pem\"\n" + secret,
                "belong together");
  check_refused("listne = \"off\"\n", "did you mean `listen`");
}
