// A request that is held back until its attempt is on disk.
#include <future>

#include "tests/transfer/client.hpp"
#include "tests/transfer/fault_server.hpp"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

using Go = std::function<void(std::optional<Error>)>;

// What the exchange asks when it is ready to send.
struct Hold {
  std::promise<Go> asked;
  std::atomic<int> times{0};
  HttpRequest on(HttpRequest request) {
    request.before_sending = [this](Go go) {
      ++times;
      asked.set_value(std::move(go));
    };
    return request;
  }
};

}  // namespace

TEST_CASE("nothing is sent before it is allowed [E1]") {
  std::atomic<bool> allowed{false}, too_early{false};
  FaultServer server([&](Connection& c) {
    too_early = too_early || !allowed;
    c.read_request();
    ++server.requests;
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
  });
  // None, one that is sent as a whole, and one that is sent while it is still being handed over.
  for (const std::uint64_t length : {0u, 20'000u, 3'000'000u}) {
    CAPTURE(length);
    allowed = false;
    const auto http = client();
    Hold hold;
    auto worker = std::async(std::launch::async,
                             [&] { return run(*http, hold.on(post_to(server.url(), length))); });
    const Go go = hold.asked.get_future().get();
    CHECK(http->counters().connections == 0);
    allowed = true;
    go(std::nullopt);
    CHECK(worker.get().body == "done");
    CHECK(hold.times == 1);
  }
  CHECK(server.requests == 3);
  CHECK_FALSE(too_early);
}

TEST_CASE("a request that may not be sent ends with the reason [F1]") {
  FaultServer server([](Connection& c) { c.read_request(); });
  for (const std::uint64_t length : {20'000u, 3'000'000u}) {
    CAPTURE(length);
    const auto http = client();
    Hold hold;
    auto worker = std::async(std::launch::async,
                             [&] { return run(*http, hold.on(post_to(server.url(), length))); });
    hold.asked.get_future().get()(Error{ErrorKind::Environment, "the disk is full", 0, {}});
    const Outcome out = worker.get();
    CHECK(out.kind() == ErrorKind::Environment);
    CHECK(out.error->message == "the disk is full");
  }
  CHECK(server.connections() == 0);
}

TEST_CASE("a request that was stopped while it was held back is not sent afterwards [I1]") {
  FaultServer server([](Connection& c) { c.read_request(); });
  const auto http = client();
  Hold hold;
  std::stop_source stop;
  auto worker = std::async(std::launch::async, [&] {
    return run(*http, hold.on(post_to(server.url(), 20'000)), stop.get_token());
  });
  const Go go = hold.asked.get_future().get();
  stop.request_stop();
  CHECK(worker.get().kind() == ErrorKind::Stopped);
  go(std::nullopt);
  // The network thread has obeyed by the time that a later request is over.
  CHECK(run(*http, post_to("http://127.0.0.1:1/", 1)).error);
  CHECK(server.connections() == 0);
}
