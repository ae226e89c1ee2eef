// Which addresses a link may lead to.
#include "agent/transfer/address_rule.hpp"

#include <string>

#include "tests/http/listening_socket.hpp"
#include "tests/transfer/client.hpp"
#include "tests/transfer/fault_server.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

bool is_public(const std::string& text) { return is_public_address(address_bytes(text)); }

}  // namespace

TEST_CASE("addresses of this machine, its networks and of groups are not public") {
  for (const char* text : {"0.0.0.0",
                           "10.0.0.1",
                           "100.64.0.1",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.8",
                           "192.0.2.1",
                           "192.88.99.1",
                           "192.168.0.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.1",
                           "203.0.113.1",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::ffff:8.8.8.8",
                           "::ffff:127.0.0.1",
                           "::8.8.8.8",
                           "64:ff9b::808:808",
                           "64:ff9b:1::1",
                           "100::1",
                           "2001::1",
                           "2001:db8::1",
                           "2002:7f00:1::1",
                           "3fff::1",
                           "fc00::1",
                           "fd12:3456::1",
                           "fe80::1",
                           "fec0::1",
                           "ff02::1"}) {
    INFO(text);
    CHECK_FALSE(is_public(text));
  }
}

TEST_CASE("addresses beside them are public") {
  for (const char* text : {"1.1.1.1",         "8.8.8.8",         "9.255.255.255",
                           "11.0.0.0",        "100.63.255.255",  "100.128.0.0",
                           "126.255.255.255", "128.0.0.0",       "169.253.255.255",
                           "172.15.255.255",  "172.32.0.0",      "192.167.255.255",
                           "192.169.0.0",     "198.17.255.255",  "198.20.0.0",
                           "223.255.255.255", "2001:200::1",     "2001:4860:4860::8888",
                           "2003::1",         "2606:4700::1111", "2a00::1"}) {
    INFO(text);
    CHECK(is_public(text));
  }
  CHECK_FALSE(is_public_address({}));
}

TEST_CASE("a request that wants a public address connects to no other") {
  FaultServer server([](Connection& c) {
    while (c.read_request())
      if (!c.write(answer("200 OK", "inside"))) return;
  });
  const auto http = client();
  const auto ask = [&](AddressRule rule) {
    HttpRequest request = post_to(server.url(), 10);
    request.addresses = rule;
    return run(*http, request);
  };
  // A connection that is kept from a request that may go anywhere is not used either.
  CHECK(ask(AddressRule::Any).body == "inside");
  const Outcome out = ask(AddressRule::PublicOnly);
  REQUIRE(out.error);
  CHECK(out.error->kind == ErrorKind::Configuration);
  CHECK(out.error->message.find("no address in the public internet") != std::string::npos);
  CHECK_FALSE(out.progress.connected);
  CHECK(ask(AddressRule::Any).body == "inside");
}
