// Bodies in both directions, many at once, and what goes on the wire.
#include <cstdlib>
#include <thread>

#include "platform/base/native_path.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/strangers.hpp"
#include "tests/transfer/client.hpp"
#include "tests/transfer/fault_server.hpp"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

void echo_lengths(Connection& connection) {
  while (connection.read_request())
    if (!connection.write(answer("200 OK", connection.head()))) return;
}

}  // namespace

TEST_CASE("a small body and a large one arrive with their length and nothing invented") {
  FaultServer server(echo_lengths);
  const auto http = client();
  for (const std::uint64_t length : {0u, 1u, 20'000u, 1u << 20, (1u << 20) + 1, 10'000'000u}) {
    const Outcome out = run(*http, post_to(server.url("/v1/convert?target=webp"), length));
    REQUIRE_FALSE(out.error);
    CHECK(out.status() == 200);
    CHECK(out.body.starts_with("POST /v1/convert?target=webp HTTP/1.1\r\n"));
    CHECK(out.body.find("Content-Length: " + std::to_string(length) + "\r\n") != out.body.npos);
    CHECK(out.body.find("Idempotency-Key: k1\r\n") != out.body.npos);
    CHECK(out.body.find("Content-Type") == out.body.npos);
    CHECK(out.body.find("Accept-Encoding") == out.body.npos);
    CHECK(out.body.find("Transfer-Encoding") == out.body.npos);
    CHECK(out.progress.body_sent == length);
    CHECK(out.progress.whole_request_sent);
  }
  CHECK(http->counters().requests == 6);
}

TEST_CASE("every method goes out under its name") {
  FaultServer server(echo_lengths);
  const auto http = client();
  for (const std::string method : {"GET", "PUT", "DELETE", "POST", "GET"}) {
    HttpRequest request = post_to(server.url(), method == "PUT" ? 5 : 0);
    request.method = method;
    const Outcome out = run(*http, request);
    REQUIRE_FALSE(out.error);
    CHECK(out.body.starts_with(method + " "));
  }
  HttpRequest head = post_to(server.url(), 0);
  head.method = "HEAD";
  FaultServer silent([](Connection& c) {
    while (c.read_request()) c.write("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n");
  });
  head.url = silent.url();
  const Outcome out = run(*http, head);
  CHECK_FALSE(out.error);
  CHECK(out.head->length == 999u);
}

TEST_CASE("200 exchanges run at once on one network thread") {
  FaultServer server(echo_lengths);
  CurlOptions options;
  options.max_connections = 400;
  const auto http = client(options);
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < 200; ++i)
      workers.emplace_back([&, i] {
        const std::uint64_t length = i % 10 == 0 ? 2'000'000 : 20'000;
        for (int round = 0; round < 3; ++round) {
          const Outcome out = run(*http, post_to(server.url(), length));
          if (!out.error && out.status() == 200) ++good;
        }
      });
  }
  CHECK(good == 600);
  CHECK(http->counters().connections <= 200);
}

TEST_CASE("an answer larger than every buffer is read at the reader's own pace") {
  constexpr std::size_t kSize = 5'000'000;
  FaultServer server([](Connection& c) {
    while (c.read_request()) c.write(answer("200 OK", std::string(kSize, 'z')));
  });
  const auto http = client();
  auto exchange = http->start(post_to(server.url(), 0), {});
  REQUIRE(exchange);
  REQUIRE((*exchange)->head());
  std::size_t got = 0;
  std::vector<std::byte> into(100'000);
  for (;;) {
    const auto n = (*exchange)->read(into);
    REQUIRE(n);
    if (*n == 0) break;
    got += *n;
  }
  CHECK(got == kSize);
}

TEST_CASE("a header with a line end is a defect and nothing is sent") {
  FaultServer server(echo_lengths);
  const auto http = client();
  HttpRequest request = post_to(server.url(), 3);
  request.headers = {{"X-Name", "a\r\nX-Evil: b"}};
  const Outcome out = run(*http, request);
  CHECK(out.kind() == ErrorKind::Defect);
  CHECK(server.connections() == 0);
}

TEST_CASE("more body than was declared is a defect") {
  const auto http = client();
  auto exchange = http->start(post_to("https://127.0.0.1:1/", 3), {});
  REQUIRE(exchange);
  CHECK((*exchange)->send(std::as_bytes(std::span{"12345", 5})).error().kind == ErrorKind::Defect);
  CHECK((*exchange)->head().error().kind == ErrorKind::Defect);
}

TEST_CASE("proxies and .netrc of the environment are ignored") {
  const Scratch home;
  write_file(home / ".netrc", "machine 127.0.0.1 login me password secret\n");
  FaultServer server(echo_lengths);
  const char* const old_home = std::getenv("HOME");
  const std::string home_before = old_home ? old_home : "";
  set_variable("HOME", path_text(home.path()));
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"})
    set_variable(name, "http://127.0.0.1:1");
  const auto http = client();
  const Outcome out = run(*http, post_to(server.url(), 5));
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"})
    set_variable(name, "");
  set_variable("HOME", home_before);
  REQUIRE_FALSE(out.error);
  CHECK(out.body.find("Authorization") == out.body.npos);
}
