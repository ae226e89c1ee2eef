// A deadline for each phase. [E16]
#include "tests/support/scratch.hpp"
#include "tests/transfer/client.hpp"
#include "tests/transfer/fault_server.hpp"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

// Longer than a busy machine keeps any thread waiting, and far from the other limits.
constexpr auto kLimit = 1s;
constexpr auto kOtherLimits = 60s;

HttpRequest hurried(std::string url, std::uint64_t length) {
  HttpRequest request = post_to(std::move(url), length);
  request.timeouts = {kOtherLimits, kOtherLimits, kOtherLimits};
  return request;
}

// The limit passed, and none of the others.
void check_ended(const Outcome& out, std::chrono::steady_clock::time_point start, ErrorKind kind,
                 Duration limit = kLimit) {
  REQUIRE(out.error);
  CHECK(out.error->kind == kind);
  CHECK(since(start) >= limit - 20ms);
  CHECK(since(start) < kOtherLimits / 2);
}

}  // namespace

TEST_CASE("a connect without an answer ends after its limit [E16]") {
  DeafPort port;
  const auto http = client();
  HttpRequest request = hurried(port.url(), 10);
  request.timeouts.connect = kLimit;
  const auto start = std::chrono::steady_clock::now();
  check_ended(run(*http, request), start, ErrorKind::Unreachable);
}

TEST_CASE("a TLS handshake without an answer ends after the connect limit [E16]") {
  FaultServer server([](Connection& c) { c.wait_for_close(); });
  const auto http = client();
  HttpRequest request = hurried("https" + server.url().substr(4), 10);
  request.timeouts.connect = kLimit;
  const auto start = std::chrono::steady_clock::now();
  check_ended(run(*http, request), start, ErrorKind::Unreachable);
}

TEST_CASE("a server that takes no more of the upload ends it after the stall limit [E16]") {
  FaultServer* self = nullptr;
  FaultServer server([&](Connection& c) {
    c.read_head();
    c.write("HTTP/1.1 100 Continue\r\n\r\n");
    eventually([&] { return self->requests > 0; });
  });
  self = &server;
  const auto http = client();
  HttpRequest request = hurried(server.url(), 100'000'000);
  request.timeouts.stall = kLimit;
  const auto start = std::chrono::steady_clock::now();
  const Outcome out = run(*http, request);
  ++server.requests;
  check_ended(out, start, ErrorKind::Transient);
  CHECK(out.error->message.find("took no more of the upload") != std::string::npos);
}

TEST_CASE("a server that thinks for too long is left, a stall limit does not count there [E16]") {
  FaultServer server([](Connection& c) {
    c.read_request();
    c.wait_for_close();
  });
  const auto http = client();
  HttpRequest request = hurried(server.url(), 10);
  request.timeouts.thinking = 2 * kLimit;
  request.timeouts.stall = kLimit;
  const auto start = std::chrono::steady_clock::now();
  const Outcome out = run(*http, request);
  check_ended(out, start, ErrorKind::Transient, 2 * kLimit);
  CHECK(out.error->message.find("no answer") != std::string::npos);
  CHECK(out.progress.whole_request_sent);
}

TEST_CASE("an answer that stops or drips byte by byte ends after the stall limit [E16]") {
  const bool drips = GENERATE(false, true);
  FaultServer server([&](Connection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nstart");
    while (drips && c.write("x")) std::this_thread::sleep_for(5ms);
    c.wait_for_close();
  });
  const auto http = client();
  HttpRequest request = hurried(server.url(), 10);
  request.timeouts.stall = kLimit;
  const auto start = std::chrono::steady_clock::now();
  const Outcome out = run(*http, request);
  check_ended(out, start, ErrorKind::Transient);
  CHECK(out.status() == 200);
}

TEST_CASE("our own worker that sends nothing or reads nothing does not hold a connection [E16]") {
  const auto http = client();
  SECTION("sends nothing") {
    std::atomic<bool> closed{false};
    FaultServer server([&](Connection& c) {
      c.read_head();
      c.write("HTTP/1.1 100 Continue\r\n\r\n");
      c.wait_for_close();
      closed = true;
    });
    HttpRequest request = hurried(server.url(), 5'000'000);
    request.timeouts.stall = 3 * kLimit;  // which the server has too, to say that it goes on
    auto exchange = http->start(request, {});
    const std::string piece(1000, 'p');
    REQUIRE((*exchange)->send(std::as_bytes(std::span{piece})));
    REQUIRE(eventually([&] { return closed.load(); }));
    const auto sent = (*exchange)->send(std::as_bytes(std::span{piece}));
    REQUIRE_FALSE(sent);
    CHECK(sent.error().kind == ErrorKind::Transient);
    CHECK(sent.error().message.find("our own side") != std::string::npos);
  }
  SECTION("reads nothing") {
    std::atomic<bool> dropped{false};
    FaultServer server([&](Connection& c) {
      c.read_request();
      c.write(answer("200 OK", std::string(50'000'000, 'a')));
      dropped = true;
    });
    HttpRequest request = hurried(server.url(), 10);
    request.timeouts.stall = kLimit;
    auto exchange = http->start(request, {});
    REQUIRE((*exchange)->send(std::as_bytes(std::span{"0123456789", 10})));
    REQUIRE((*exchange)->head());
    REQUIRE(eventually([&] { return dropped.load(); }));
    std::vector<std::byte> into(1 << 20);
    Result<std::size_t> n{1};
    while (n && *n > 0) n = (*exchange)->read(into);
    REQUIRE_FALSE(n);
    CHECK(n.error().message.find("our own side") != std::string::npos);
  }
}

TEST_CASE("a slow but steady answer outlives every limit") {
  FaultServer server([](Connection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n");
    for (int i = 0; i < 20; ++i) {
      c.write(std::string(2000, 's'));
      std::this_thread::sleep_for(kLimit / 5);
    }
  });
  const auto http = client();
  HttpRequest request = hurried(server.url(), 10);
  request.timeouts.stall = 3 * kLimit;  // shorter than the whole, longer than its longest pause
  const Outcome out = run(*http, request);
  CHECK_FALSE(out.error);
  CHECK(out.body.size() == 40'000);
}
