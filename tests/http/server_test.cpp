#include "platform/http/server.hpp"

#include <atomic>
#include <thread>

#include "platform/base/mutex.hpp"
#include "tests/http/made_up_ca.hpp"
#include "tests/http/raw_client.hpp"
#include "tests/http/serving.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using test::ask;
using test::describe;
using test::eventually;
using test::get;
using test::options_in;
using test::post;
using test::RawClient;
using test::Scratch;
using test::start;

bool no_files_in(const std::filesystem::path& folder) { return std::filesystem::is_empty(folder); }

}  // namespace

TEST_CASE("a connection is kept for many requests, and pipelined ones keep their order") {
  const Scratch scratch;
  const auto server = start(options_in(scratch));
  RawClient client(server->address());
  REQUIRE(client.send(get("/a%20b?x=1") + post("hello") + get("/c")));
  CHECK(client.receive()->body == "GET /a b 0 memory");
  CHECK(client.receive()->body == "POST /p 5 memory");
  const auto last = client.receive();
  CHECK(last->body == "GET /c 0 memory");
  CHECK(last->has("connection: keep-alive"));
  CHECK(last->has("\r\ndate: "));
}

TEST_CASE("a large body is spooled to a file that goes with its request") {
  const Scratch scratch;
  const std::string body(1'500'000, 'z');
  std::atomic<bool> same{false};
  const auto server = start(options_in(scratch), [&](auto request, Respond respond) {
    same = test::read_file(request->body_file) == body && request->body.empty();
    describe(request, respond);
  });
  CHECK(ask(server->address(), post(body))->body == "POST /p 1500000 file");
  CHECK(same);
  CHECK(eventually([&] { return no_files_in(scratch.path()); }));
}

TEST_CASE("a body that is cut off leaves no file behind") {
  const Scratch scratch;
  const auto server = start(options_in(scratch));
  RawClient client(server->address());
  REQUIRE(client.send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n"));
  REQUIRE(client.send(std::string(5000, 'z')));
  REQUIRE(eventually([&] { return !no_files_in(scratch.path()); }));
  client.reset();
  CHECK(eventually([&] { return no_files_in(scratch.path()); }));
}

TEST_CASE("a chunked body is taken whole and its trailers are no headers") {
  const Scratch scratch;
  const auto server = start(options_in(scratch), [](auto request, Respond respond) {
    ServerResponse response;
    response.body = request->body + "|" + std::string(request->header("authorization"));
    respond(response);
  });
  const auto answer = ask(server->address(),
                          "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "3\r\nabc\r\n4\r\ndefg\r\n0\r\nAuthorization: Bearer x\r\n\r\n");
  CHECK(answer->body == "abcdefg|");
}

TEST_CASE("a request that two parsers could end in different places is refused [L6]") {
  const Scratch scratch;
  std::atomic<int> handled{0};
  const auto server = start(options_in(scratch), [&](auto request, Respond respond) {
    ++handled;
    describe(request, respond);
  });
  const std::string head = "POST /p HTTP/1.1\r\nHost: x\r\n";
  const std::string smuggled = "0\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const std::string fields : {
           "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
           "Content-Length: 4\r\nContent-Length: 4\r\n",
           "Content-Length: 4\r\nContent-Length: 9\r\n",
           "Content-Length: 4, 4\r\n",
           "Content-Length: +4\r\n",
           "Content-Length: 0x4\r\n",
           "Content-Length: -1\r\n",
           "Content-Length: 99999999999999999999999\r\n",
           "Transfer-Encoding: xchunked\r\n",
           "Transfer-Encoding: chunked, identity\r\n",
           "Transfer-Encoding: gzip, chunked\r\n",
           "Transfer-Encoding: identity\r\n",
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding : chunked\r\n",
           "Content-Length : 4\r\n",
           "Host: y\r\nContent-Length: 4\r\n",
       }) {
    INFO(fields);
    const auto answer = ask(server->address(), head + fields + "\r\n" + smuggled);
    REQUIRE(answer);
    CHECK(answer->status == 400);
    CHECK(answer->has("connection: close"));
    CHECK(answer->body.starts_with("{\"error\":{\"code\":\"bad_request\""));
  }
  for (const std::string chunk : {"zz\r\n", "-1\r\n", "11111111111111111\r\n", "3\r\nabcX\r\n",
                                  "0x3\r\nabc\r\n", " 3\r\nabc\r\n"}) {
    INFO(chunk);
    const auto answer =
        ask(server->address(), head + "Transfer-Encoding: chunked\r\n\r\n" + chunk + "0\r\n\r\n");
    REQUIRE(answer);
    CHECK(answer->status == 400);
  }
  CHECK(ask(server->address(), "POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            ->status == 400);
  CHECK(ask(server->address(), "GET / HTTP/1.1\r\n\r\n")->status == 400);
  CHECK(handled == 0);
}

TEST_CASE("a target that hides where it leads is refused [L7]") {
  const Scratch scratch;
  const auto server = start(options_in(scratch));
  for (const std::string target :
       {"/%2e%2e/etc/passwd", "/a/../b", "/a/%2E/b", "/..", "/a%00b", "/a%2fb", "/a%5cb", "/a%zz",
        "/a%4", "/%0d%0ax", "http://other/", "*", "/p?x=%00", "/p?%zz"}) {
    INFO(target);
    CHECK(ask(server->address(), get(target))->status == 400);
  }
  CHECK(ask(server->address(), get("/...%20/b..c?x=%2e%2e"))->body == "GET /... /b..c 0 memory");
}

TEST_CASE("a head larger than 16 KiB is refused with 431 [L6]") {
  const Scratch scratch;
  const auto server = start(options_in(scratch));
  const auto answer =
      ask(server->address(),
          "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n");
  REQUIRE(answer);
  CHECK(answer->status == 431);
}

TEST_CASE("a client that still uploads reads the early answer") {
  const Scratch scratch;
  auto options = options_in(scratch);
  options.admit = [](ServerRequest& request) -> std::optional<ServerResponse> {
    if (request.header("authorization").empty()) return error_response(401, "no_key", "no");
    return std::nullopt;
  };
  const auto server = start(options);
  const std::string key = "Authorization: x\r\n";
  const std::string huge(50'000'000, 'z');
  const auto [more, status] = GENERATE_COPY(table<std::string, int>({{"", 401}, {key, 413}}));
  RawClient client(server->address());
  client.send(post("", more).substr(0, post("", more).find("Content-Length")) +
              "Content-Length: 50000000\r\n\r\n");
  client.send(huge);
  const auto answer = client.receive();
  REQUIRE(answer);
  CHECK(answer->status == status);
  CHECK(answer->has("connection: close"));
}

TEST_CASE("a chunked body above the limit is refused while it comes") {
  const Scratch scratch;
  const auto server = start(options_in(scratch));
  RawClient client(server->address());
  client.send("POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(65536, 'c') + "\r\n";
  for (int i = 0; i < 40; ++i) client.send(chunk);
  CHECK(client.receive()->status == 413);
  CHECK(eventually([&] { return no_files_in(scratch.path()); }));
}

TEST_CASE("100-continue is sent only to those who are admitted [E18]") {
  const Scratch scratch;
  auto options = options_in(scratch);
  options.admit = [](ServerRequest& request) -> std::optional<ServerResponse> {
    if (request.header("x-bad") == "1") return error_response(401, "no_key", "no");
    return std::nullopt;
  };
  const auto server = start(options);
  RawClient good(server->address());
  good.send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(good.receive_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  good.send("ab");
  CHECK(good.receive()->body == "POST /p 2 memory");
  RawClient bad(server->address());
  bad.send(
      "POST /p HTTP/1.1\r\nHost: x\r\nX-Bad: 1\r\nContent-Length: 2\r\n"
      "Expect: 100-continue\r\n\r\n");
  CHECK(bad.receive()->status == 401);
}

TEST_CASE("an answer comes from a file, and HEAD gets its length without it") {
  const Scratch scratch;
  const std::string bytes(300'000, 'q');
  test::write_file(scratch / "result", bytes);
  std::atomic<int> released{0};
  const auto server = start(options_in(scratch), [&](auto, Respond respond) {
    ServerResponse response;
    response.content_type = "image/png";
    response.body_file = scratch / "result";
    response.headers = {{"X-Good", "1"}, {"X-Bad", "a\r\nSet-Cookie: x"}, {"Bad Name", "1"}};
    response.keep_alive = std::shared_ptr<int>(new int, [&](int* p) {
      delete p;
      ++released;
    });
    respond(response);
  });
  RawClient client(server->address());
  client.send("HEAD /f HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto head = client.receive(RawClient::Body::None);
  CHECK(head->has("content-length: 300000"));
  client.send(get("/f"));
  const auto answer = client.receive();
  CHECK(answer->body == bytes);
  CHECK(answer->has("x-good: 1"));
  CHECK(!answer->has("set-cookie"));
  CHECK(!answer->has("bad name"));
  CHECK(eventually([&] { return released == 2; }));
}

TEST_CASE("a missing result file is a 500 and never an empty success") {
  const Scratch scratch;
  const auto server = start(options_in(scratch), [&](auto, Respond respond) {
    ServerResponse response;
    response.body_file = scratch / "gone";
    respond(response);
  });
  CHECK(ask(server->address(), get("/"))->status == 500);
}

TEST_CASE("a dropped request answers 500; a second answer is ignored") {
  const Scratch scratch;
  const auto server = start(options_in(scratch), [](auto request, Respond respond) {
    if (request->path == "/drop") return;
    std::thread([respond] {
      describe(std::make_shared<ServerRequest>(), respond);
      respond(error_response(500, "twice", "twice"));
    }).join();
  });
  RawClient client(server->address());
  client.send(get("/drop") + get("/twice") + get("/drop"));
  CHECK(client.receive()->status == 500);
  CHECK(client.receive()->status == 200);
  CHECK(client.receive()->status == 500);
}

TEST_CASE("slow heads, slow bodies and idle connections end [L6]") {
  const Scratch scratch;
  auto options = options_in(scratch);
  options.idle_timeout = 1s;
  options.head_timeout = 1s;
  const auto server = start(options);
  RawClient idle(server->address());
  RawClient head(server->address());
  head.send("GET / HT");
  RawClient body(server->address());
  body.send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc");
  CHECK(idle.closed_by_peer());
  CHECK(head.closed_by_peer());
  CHECK(body.closed_by_peer());
}

TEST_CASE("a head that drips in byte by byte ends at its deadline [L6]") {
  const Scratch scratch;
  auto options = options_in(scratch);
  options.head_timeout = 200ms;
  const auto server = start(options);
  RawClient client(server->address());
  const auto began = std::chrono::steady_clock::now();
  client.send("GET / HTTP/1.1\r\nHost: x\r\nX: ");
  CHECK(eventually([&] { return !client.send("a"); }));
  CHECK(std::chrono::steady_clock::now() - began < 10s);
}

TEST_CASE("above the most connections the next one waits its turn [L6]") {
  const Scratch scratch;
  auto options = options_in(scratch);
  options.max_connections = 2;
  std::atomic<int> asked{0};
  const auto server = start(options, [&](auto request, Respond respond) {
    ++asked;
    describe(request, respond);
  });
  auto a = std::make_unique<RawClient>(server->address());
  RawClient b(server->address()), c(server->address());
  a->send(get("/a"));
  b.send(get("/b"));
  REQUIRE(a->receive());
  REQUIRE(b.receive());
  c.send(get("/c"));
  CHECK_FALSE(eventually([&] { return asked > 2; }, 100ms));
  a.reset();
  const auto answer = c.receive();
  REQUIRE(answer);
  CHECK(answer->status == 200);
}

TEST_CASE("TLS is spoken with its certificate, at 1.2 or newer [E8]") {
  const Scratch scratch;
  const auto ca = test::make_ca(scratch.path());
  auto options = options_in(scratch);
  options.certificate = ca.certificate;
  options.private_key = ca.key;
  const auto server = start(options);
  CHECK(server->address().starts_with("https://127.0.0.1:"));
  const std::string close = "GET /t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const auto answer = test::ask_tls(server->address(), ca.ca, close);
  CHECK(answer.text.ends_with("GET /t 0 memory"));
  CHECK(!test::ask_tls(server->address(), ca.ca, close, test::Offer::AtMostTls11).shaken);
  std::filesystem::create_directory(scratch / "other");
  const auto other = test::make_ca(scratch / "other");
  CHECK(!test::ask_tls(server->address(), other.ca, close).shaken);
  options.private_key = other.key;
  CHECK(start_http_server(options, describe).error().kind == ErrorKind::Configuration);
  for (const std::string why : {"no such file", "a PEM file is needed"}) {
    options.certificate = scratch / "none.pem";
    if (why != "no such file") test::write_file(options.certificate, "none");
    const auto refused = start_http_server(options, describe);
    REQUIRE(!refused);
    CHECK(refused.error().message.ends_with(why));
  }
}

TEST_CASE("an address that somebody else has is told apart from one that is wrong") {
  const Scratch scratch;
  auto options = options_in(scratch);
  const auto first = start(options);
  options.address = first->address().substr(std::string_view("http://").size());
  const auto second = start_http_server(options, describe);
  REQUIRE(!second);
  CHECK(second.error().kind == ErrorKind::Exists);
}

TEST_CASE("an address that is none is refused") {
  const Scratch scratch;
  auto options = options_in(scratch);
  for (const char* address : {"", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:80", ":80",
                              "example.com:80", "127.0.0.1:80 "}) {
    INFO(address);
    options.address = address;
    const auto server = start_http_server(options, describe);
    REQUIRE(!server);
    CHECK(server.error().kind == ErrorKind::Configuration);
  }
}

TEST_CASE("stop lets an answer under way finish, and gives up on one that does not") {
  const Scratch scratch;
  Mutex mutex;
  std::optional<Respond> waiting;
  auto server = start(options_in(scratch), [&](auto, Respond respond) {
    const MutexLock lock(mutex);
    waiting = std::move(respond);
  });
  const auto has_request = [&] {
    const MutexLock lock(mutex);
    return waiting.has_value();
  };
  RawClient idle(server->address()), busy(server->address());
  busy.send(get("/"));
  REQUIRE(eventually(has_request));
  SECTION("it is answered") {
    std::jthread stopper([&] { server->stop(60s); });
    CHECK(idle.closed_by_peer());
    (*waiting)(ServerResponse{});
    const auto answer = busy.receive();
    REQUIRE(answer);
    CHECK(answer->status == 200);
  }
  SECTION("it is not") {
    server->stop(50ms);
    CHECK(idle.closed_by_peer());
    CHECK(busy.closed_by_peer());
    server.reset();
    (*waiting)(ServerResponse{});  // too late: nothing happens
  }
}

TEST_CASE("many clients at once all get their own answer") {
  const Scratch scratch;
  const auto server = start(options_in(scratch));
  std::atomic<int> right{0};
  {
    std::vector<std::jthread> clients;
    for (int c = 0; c < 8; ++c)
      clients.emplace_back([&, c] {
        RawClient client(server->address());
        for (int i = 0; i < 50; ++i) {
          const std::size_t size = static_cast<std::size_t>(c * 1000 + i);
          client.send(post(std::string(size, 'x')));
          const auto answer = client.receive();
          if (answer && answer->body.starts_with("POST /p " + std::to_string(size) + " ")) ++right;
        }
      });
  }
  CHECK(right == 400);
  CHECK(eventually([&] { return no_files_in(scratch.path()); }));
}

}  // namespace millrace
