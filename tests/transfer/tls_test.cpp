// Trust, versions and resumed sessions.
#include <openssl/ssl.h>

#include <functional>
#include <thread>

#include "tests/support/scratch.hpp"
#include "tests/transfer/client.hpp"
#include "tests/transfer/fault_server.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

void keep_answering(Connection& c) {
  while (c.read_request())
    if (!c.write(answer("200 OK", "over TLS"))) return;
}

Outcome ask(const FaultServer& server, const std::string& trust) {
  const auto http = client();
  HttpRequest request = post_to(server.url(), 1000);
  request.ca_file = trust;
  return run(*http, request);
}

void check_refused(const Outcome& out, std::string_view why) {
  CHECK(out.kind() == ErrorKind::Unreachable);
  REQUIRE(out.error);
  INFO(out.error->message);
  CHECK(out.error->message.find(why) != std::string::npos);
  CHECK_FALSE(out.progress.connected);
  CHECK(out.progress.body_sent == 0);
}

}  // namespace

TEST_CASE("a certificate of the named authority is trusted, by default it is not [E8]") {
  const Scratch scratch;
  const TestAuthority authority(scratch.path());
  FaultServer server(keep_answering, ServerTls{authority.issue("server")});
  CHECK(ask(server, authority.trust_file()).body == "over TLS");
  check_refused(ask(server, {}), "not trusted by ");
}

TEST_CASE("expired, self-signed and foreign certificates end before a byte is sent [E8]") {
  const Scratch scratch;
  const TestAuthority authority(scratch.path());
  struct Row {
    Certificate certificate;
    std::string_view why;
  };
  Leaf expired, foreign;
  expired.valid_from_days = -30;
  expired.valid_to_days = -1;
  foreign.names = "DNS:other.example";
  const Row rows[] = {{authority.issue("expired", expired), "expired"},
                      {authority.issue("foreign", foreign), "127.0.0.1"},
                      {authority.self_signed("self"), "self-signed"}};
  for (const Row& row : rows) {
    FaultServer server(keep_answering, ServerTls{row.certificate});
    check_refused(ask(server, authority.trust_file()), row.why);
  }
}

TEST_CASE("TLS older than 1.2 is refused, 1.2 is not [E8]") {
  const Scratch scratch;
  const TestAuthority authority(scratch.path());
  const Certificate certificate = authority.issue("server");
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    FaultServer server(keep_answering, ServerTls{certificate, version, version});
    const Outcome out = ask(server, authority.trust_file());
    CHECK(out.kind() == ErrorKind::Unreachable);
    CHECK(out.progress.body_sent == 0);
  }
  FaultServer server(keep_answering, ServerTls{certificate, TLS1_2_VERSION, TLS1_2_VERSION});
  CHECK(ask(server, authority.trust_file()).body == "over TLS");
}

TEST_CASE("a missing trust file is a matter of configuration [E8]") {
  CurlOptions options;
  options.ca_file = "/nonexistent/ca.pem";
  const auto http = start_curl_http(options);
  REQUIRE_FALSE(http);
  CHECK(http.error().kind == ErrorKind::Configuration);
  const Scratch scratch;
  const TestAuthority authority(scratch.path());
  FaultServer server(keep_answering, ServerTls{authority.issue("server")});
  CHECK(ask(server, "/nonexistent/ca.pem").kind() == ErrorKind::Configuration);
}

namespace {

// One request, then eight at once on connections of their own: how many of those were resumed.
std::uint64_t resumed_of_eight(TlsShare share, const ServerTls& tls, const std::string& trust) {
  constexpr int kAtOnce = 8;
  FaultServer* counted = nullptr;
  FaultServer server(
      [&](Connection& c) {
        c.read_request();
        ++counted->requests;
        const bool first = c.number == 1;
        eventually([&] { return first || counted->requests > kAtOnce; });
        c.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      },
      tls);
  counted = &server;
  CurlOptions options;
  options.tls_share = share;
  options.ca_file = trust;
  const auto http = client(options);
  std::atomic<int> good{0};
  const auto ask_once = [&] { good += run(*http, post_to(server.url(), 1000)).error ? 0 : 1; };
  ask_once();
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < kAtOnce; ++i) workers.emplace_back(ask_once);
  }
  CHECK(good == 1 + kAtOnce);
  CHECK(http->counters().connections == 1 + kAtOnce);
  return http->counters().resumed;
}

}  // namespace

TEST_CASE("new connections resume the TLS session of any earlier one, only with the share") {
  const Scratch scratch;
  const TestAuthority authority(scratch.path());
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const ServerTls tls{authority.issue("server"), version, version};
  CHECK(resumed_of_eight(TlsShare::Off, tls, authority.trust_file()) == 0);
  // How many tickets are there when eight connections begin at once is a matter of timing under
  // TLS 1.3 (and from libcurl 8.12 on each is used once); e2e/tls counts over many bursts.
  CHECK(resumed_of_eight(TlsShare::On, tls, authority.trust_file()) >=
        (version == TLS1_2_VERSION ? 8 : 1));
}

TEST_CASE("a TLS connection is used again for the next request") {
  const Scratch scratch;
  const TestAuthority authority(scratch.path());
  FaultServer server(keep_answering, ServerTls{authority.issue("server")});
  CurlOptions options;
  options.ca_file = authority.trust_file();
  const auto http = client(options);
  for (int i = 0; i < 10; ++i) CHECK_FALSE(run(*http, post_to(server.url(), 20'000)).error);
  CHECK(http->counters().connections == 1);
  CHECK(http->counters().requests == 10);
}

TEST_CASE("a busy connection is replaced when it is old, and a swapped certificate seen [E24]") {
  const Scratch scratch;
  const TestAuthority authority(scratch.path());
  FaultServer server(keep_answering, ServerTls{authority.issue("server")});
  CurlOptions options;
  options.ca_file = authority.trust_file();
  options.longest_connection = std::chrono::seconds{1};
  const auto http = client(options);
  const auto ask_until = [&](const std::function<bool(const Outcome&)>& state) {
    Outcome last;
    CHECK(eventually([&] {
      last = run(*http, post_to(server.url(), 1000));
      return last.error || state(last);
    }));
    return last;
  };
  CHECK_FALSE(ask_until([&](const Outcome&) { return server.connections() == 2; }).error);

  // The same name, the same authority: business as usual.
  server.swap_certificate(ServerTls{authority.issue("renewed")});
  const int before = server.connections();
  CHECK_FALSE(ask_until([&](const Outcome&) { return server.connections() > before; }).error);

  // Somebody else's: the next connection is refused before a byte is sent.
  server.swap_certificate(ServerTls{authority.self_signed("other")});
  check_refused(ask_until([](const Outcome&) { return false; }), "self-signed");
}

TEST_CASE("a connection that is young is kept whatever the certificate is by now [E24]") {
  const Scratch scratch;
  const TestAuthority authority(scratch.path());
  FaultServer server(keep_answering, ServerTls{authority.issue("server")});
  CurlOptions options;
  options.ca_file = authority.trust_file();
  const auto http = client(options);
  CHECK_FALSE(run(*http, post_to(server.url(), 1000)).error);
  server.swap_certificate(ServerTls{authority.self_signed("other")});
  for (int i = 0; i < 10; ++i) CHECK_FALSE(run(*http, post_to(server.url(), 1000)).error);
  CHECK(server.connections() == 1);
}
