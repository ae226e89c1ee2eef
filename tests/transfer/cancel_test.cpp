// A stop ends every phase at once.
#include <future>
#include <mutex>
#include <set>

#include "tests/support/scratch.hpp"
#include "tests/transfer/client.hpp"
#include "tests/transfer/fault_server.hpp"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

// Nothing else would end an exchange as soon: the network sleeps until its next deadline, which is
// 15 s away at least. An idle machine takes a millisecond.
constexpr auto kPromptly = 5s;

int number_in(const std::string& head) {
  const auto at = head.find("X-Number: ");
  return at == std::string::npos ? -1 : std::stoi(head.substr(at + 10));
}

// Runs `request`, fires the stop when `reached` says so, and expects Stopped at once.
void stop_when(HttpRequest request, const std::function<bool()>& reached) {
  const auto http = client();
  std::stop_source stop;
  auto worker =
      std::async(std::launch::async, [&] { return run(*http, request, stop.get_token()); });
  REQUIRE(eventually([&] { return reached(); }));
  const auto start = std::chrono::steady_clock::now();
  stop.request_stop();
  const Outcome out = worker.get();
  CHECK(since(start) < kPromptly);
  CHECK(out.kind() == ErrorKind::Stopped);
}

}  // namespace

TEST_CASE("a stop ends an exchange in every phase at once [E16]") {
  std::atomic<bool> reached{false};
  const auto is_reached = [&] { return reached.load(); };
  SECTION("connecting") {
    DeafPort port;
    const auto start = std::chrono::steady_clock::now();
    stop_when(post_to(port.url(), 10), [&] { return since(start) > 100ms; });
  }
  SECTION("TLS handshake") {
    FaultServer server([&](Connection& c) {
      reached = true;
      c.wait_for_close();
    });
    stop_when(post_to("https" + server.url().substr(4), 10), is_reached);
  }
  SECTION("uploading") {
    std::atomic<bool> over{false};
    FaultServer server([&](Connection& c) {
      c.read_head();
      c.write("HTTP/1.1 100 Continue\r\n\r\n");
      c.read_body(1'000'000);
      reached = true;
      eventually([&] { return over.load(); });
    });
    stop_when(post_to(server.url(), 100'000'000), is_reached);
    over = true;
  }
  SECTION("thinking") {
    FaultServer server([&](Connection& c) {
      c.read_request();
      reached = true;
      c.wait_for_close();
    });
    stop_when(post_to(server.url(), 20'000), is_reached);
  }
  SECTION("downloading") {
    FaultServer server([&](Connection& c) {
      c.read_request();
      c.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nstart");
      reached = true;
      c.wait_for_close();
    });
    stop_when(post_to(server.url(), 20'000), is_reached);
  }
}

TEST_CASE("a stop before the start sends nothing") {
  FaultServer server([](Connection& c) { c.read_request(); });
  const auto http = client();
  std::stop_source stop;
  stop.request_stop();
  CHECK(run(*http, post_to(server.url(), 10), stop.get_token()).kind() == ErrorKind::Stopped);
  CHECK(run(*http, post_to(server.url(), 0), stop.get_token()).kind() == ErrorKind::Stopped);
  CHECK(server.connections() == 0);
}

TEST_CASE("a stop of uploads ends one at once, and lets an answer to a whole request come [I1]") {
  std::atomic<int> step{0};
  FaultServer server([&](Connection& c) {
    const bool whole = c.read_head().find("Content-Length: 10\r") != std::string::npos;
    c.read_body(10);
    step = 1;
    eventually([&] { return step == 2; });
    if (whole) c.write(answer("200 OK", "late"));
  });
  const auto http = client();
  const std::uint64_t length = GENERATE(std::uint64_t{10}, std::uint64_t{100'000'000});
  std::stop_source stop;
  HttpRequest request = post_to(server.url(), length);
  request.stop_upload = stop.get_token();
  auto worker = std::async(std::launch::async, [&] { return run(*http, request); });
  REQUIRE(eventually([&] { return step == 1; }));
  const auto start = std::chrono::steady_clock::now();
  stop.request_stop();
  if (length == 10) step = 2;
  const Outcome out = worker.get();
  step = 2;
  CHECK(since(start) < kPromptly);
  if (length == 10) {
    CHECK(out.body == "late");
  } else {
    CHECK(out.kind() == ErrorKind::Stopped);
    CHECK_FALSE(out.progress.whole_request_sent);
  }
}

TEST_CASE("an exchange that is dropped closes its connection") {
  std::atomic<bool> closed{false};
  FaultServer server([&](Connection& c) {
    c.read_request();
    c.wait_for_close();
    closed = true;
  });
  const auto http = client();
  {
    auto exchange = http->start(post_to(server.url(), 1), {});
    REQUIRE((*exchange)->send(std::as_bytes(std::span{"x", 1})));
    REQUIRE(eventually([&] { return (*exchange)->progress().whole_request_sent; }));
  }
  CHECK(eventually([&] { return closed.load(); }));
}

TEST_CASE("a client that is destroyed ends its exchanges with Stopped") {
  FaultServer server([](Connection& c) {
    c.read_request();
    c.wait_for_close();
  });
  auto http = client();
  auto exchange = http->start(post_to(server.url(), 1), {});
  REQUIRE((*exchange)->send(std::as_bytes(std::span{"x", 1})));
  auto head = std::async(std::launch::async, [&] { return (*exchange)->head(); });
  REQUIRE(eventually([&] { return (*exchange)->progress().whole_request_sent; }));
  const auto start = std::chrono::steady_clock::now();
  http.reset();
  CHECK(since(start) < kPromptly);
  const auto result = head.get();
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::Stopped);
}

TEST_CASE("stops, answers and drops that race leave nothing behind") {
  FaultServer server([](Connection& c) {
    while (c.read_request())
      if (!c.write(answer("200 OK", std::string(300'000, 'r')))) return;
  });
  const auto http = client();
  std::vector<std::jthread> workers;
  for (int w = 0; w < 8; ++w)
    workers.emplace_back([&, w] {
      for (int i = 0; i < 40; ++i) {
        std::stop_source stop;
        std::jthread stopper([&, w, i] {
          std::this_thread::sleep_for(std::chrono::microseconds{(w * 40 + i) * 13 % 2000});
          stop.request_stop();
        });
        run(*http, post_to(server.url(), i % 4 == 0 ? 1'500'000 : 10'000), stop.get_token());
      }
    });
  workers.clear();
  CHECK_FALSE(run(*http, post_to(server.url(), 10)).error);
}

TEST_CASE("a request that is stopped says so if it may have become whole [I1] [E3]") {
  std::mutex mutex;
  std::set<int> arrived;  // whole
  FaultServer server([&](Connection& c) {
    while (c.read_request()) {
      {
        const std::scoped_lock lock(mutex);
        if (const int number = number_in(c.head()); number >= 0) arrived.insert(number);
      }
      if (!c.write(answer("200 OK", "done"))) return;
    }
  });
  const auto http = client();
  std::set<int> said;
  for (int i = 0; i < 3000; ++i) {
    if (i % 2 == 0) REQUIRE_FALSE(run(*http, post_to(server.url(), 1)).error);  // a warm connection
    std::stop_source stop;
    HttpRequest request = post_to(server.url(), 2);
    request.headers.emplace_back("X-Number", std::to_string(i));
    auto exchange = http->start(request, stop.get_token());
    REQUIRE((*exchange)->send(std::as_bytes(std::span{"ab", 2})));
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds{i % 150};
    while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
    stop.request_stop();
    static_cast<void>((*exchange)->head());
    if ((*exchange)->progress().whole_request_sent) said.insert(i);
  }
  // The server has seen what was sent before this.
  REQUIRE_FALSE(run(*http, post_to(server.url(), 1)).error);
  const std::scoped_lock lock(mutex);
  for (const int i : arrived) CHECK(said.contains(i));
}
