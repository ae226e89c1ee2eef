// Many exchanges that one thread waits for.
#include <atomic>
#include <future>

#include "tests/transfer/client.hpp"
#include "tests/transfer/fault_server.hpp"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

HttpRequest get(std::string url, OnAnswer on_answer) {
  HttpRequest request;
  request.method = "GET";
  request.url = std::move(url);
  request.on_answer = std::move(on_answer);
  return request;
}

// How the answer was told, and how often.
struct Told {
  std::promise<Arrival> how;
  std::atomic<int> times{0};
  OnAnswer sink() {
    return [this](Arrival answer) {
      if (++times == 1) how.set_value(answer);
    };
  }
};

}  // namespace

TEST_CASE("an answer is told once it is whole, and then nothing blocks") {
  FaultServer server([](Connection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
  });
  const auto http = client();
  Told told;
  auto exchange = http->start(get(server.url(), told.sink()), {});
  REQUIRE(exchange);
  CHECK(told.how.get_future().get() == Arrival::Whole);
  const Outcome out = run(**exchange, 0);
  CHECK(out.body == "done");
  CHECK(told.times == 1);
}

TEST_CASE("a long answer is told while the rest of it is still to come") {
  std::promise<void> taken;
  FaultServer server([&](Connection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + std::string(100'000, 'x'));
    taken.get_future().wait();
    c.write(std::string(100'000, 'y'));
  });
  const auto http = client();
  Told told;
  auto exchange = http->start(get(server.url(), told.sink()), {});
  REQUIRE(exchange);
  CHECK(told.how.get_future().get() == Arrival::Begun);
  CHECK((*exchange)->head());
  taken.set_value();
  const Outcome out = run(**exchange, 0);
  CHECK(out.body.size() == 200'000);
  CHECK(told.times == 1);
}

TEST_CASE("an exchange that ends without an answer is told too") {
  FaultServer server([](Connection& c) { c.read_request(); });
  const auto http = client();
  Told cut, stopped;
  auto exchange = http->start(get(server.url(), cut.sink()), {});
  REQUIRE(exchange);
  CHECK(cut.how.get_future().get() == Arrival::Whole);
  CHECK(run(**exchange, 0).kind() == ErrorKind::Transient);

  FaultServer silent([](Connection& c) {
    c.read_request();
    c.wait_for_close();
  });
  std::stop_source stop;
  auto second = http->start(get(silent.url(), stopped.sink()), stop.get_token());
  REQUIRE(second);
  stop.request_stop();
  CHECK(stopped.how.get_future().get() == Arrival::Whole);
  CHECK(run(**second, 0).kind() == ErrorKind::Stopped);
}
