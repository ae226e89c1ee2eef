// What the network and a broken server do to an exchange.
#include <future>

#include "tests/support/scratch.hpp"
#include "tests/transfer/client.hpp"
#include "tests/transfer/fault_server.hpp"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

TEST_CASE("a reset at any point of an upload is transient, and the bytes sent are known [E9]") {
  constexpr std::size_t kBody = 20'000'000;
  const std::size_t percent = GENERATE(1u, 50u, 99u);
  FaultServer server([&](Connection& c) {
    c.read_head();
    c.write("HTTP/1.1 100 Continue\r\n\r\n");
    c.read_body(kBody / 100 * percent);
    c.reset();
  });
  const auto http = client();
  const Outcome out = run(*http, post_to(server.url(), kBody));
  CHECK(out.kind() == ErrorKind::Transient);
  CHECK(out.progress.connected);
  CHECK(out.progress.body_sent >= kBody / 100 * percent);
  CHECK(server.connections() == 1);
}

TEST_CASE("a connection lost after the whole upload says that it may have been billed [E10]") {
  FaultServer server([](Connection& c) { c.read_request(); });
  const auto http = client();
  const Outcome out = run(*http, post_to(server.url(), 20'000));
  CHECK(out.kind() == ErrorKind::Transient);
  CHECK(out.progress.whole_request_sent);
}

TEST_CASE("a POST is never sent twice when a reused connection dies [E11]") {
  const std::uint64_t length = GENERATE(1u, 20'000u, 3'000'000u);
  FaultServer* counted = nullptr;
  FaultServer server([&](Connection& c) {
    // The first request of a connection is answered; the second is taken whole and dropped.
    for (int i = 0; !c.read_head().empty(); ++i) {
      ++counted->requests;
      // Not a byte comes back before it dies: only then would libcurl send it again by itself.
      if (i == 0) c.write("HTTP/1.1 100 Continue\r\n\r\n");
      c.read_body(length);
      if (i == 1) return;
      c.write(answer("200 OK", "fine"));
    }
  });
  counted = &server;
  const auto http = client();
  REQUIRE_FALSE(run(*http, post_to(server.url(), length)).error);
  HttpRequest request = post_to(server.url(), length);
  request.timeouts.thinking = 5s;  // a second request of libcurl's own would have no body left
  const Outcome second = run(*http, request);
  CHECK(second.kind() == ErrorKind::Transient);
  CHECK(second.progress.whole_request_sent);
  REQUIRE_FALSE(run(*http, post_to(server.url(), length)).error);
  CHECK(server.requests == 3);
}

TEST_CASE("a POST is never sent twice when a reused connection dies after its head [E11]") {
  FaultServer* counted = nullptr;
  FaultServer server([&](Connection& c) {
    for (int i = 0; !c.read_head().empty(); ++i) {
      ++counted->requests;
      if (i == 1) return c.reset();
      c.write("HTTP/1.1 100 Continue\r\n\r\n");
      c.read_body(3'000'000);
      c.write(answer("200 OK", "fine"));
    }
  });
  counted = &server;
  const auto http = client(patient());
  // The body waits for a "continue" that does not come, so that nothing of it has to be rewound.
  REQUIRE_FALSE(run(*http, post_to(server.url(), 3'000'000)).error);
  const Outcome second = run(*http, post_to(server.url(), 3'000'000));
  CHECK(second.kind() == ErrorKind::Transient);
  CHECK(second.progress.body_sent == 0);
  CHECK(server.requests == 2);
}

TEST_CASE("a POST without a body never rides a connection that may be dead [E11]") {
  FaultServer server([](Connection& c) {
    while (c.read_request()) c.write(answer("200 OK", "fine"));
  });
  const auto http = client();
  for (int i = 0; i < 3; ++i) REQUIRE_FALSE(run(*http, post_to(server.url(), 0)).error);
  CHECK(server.connections() == 3);
}

TEST_CASE("an early 401 ends an upload of 100 MB, also one that our worker holds back [E2]") {
  FaultServer server([](Connection& c) {
    c.read_head();
    c.write("HTTP/1.1 100 Continue\r\n\r\n");
    c.read_body(100'000);
    c.write(answer("401 Unauthorized", "no"));
    c.wait_for_close();
  });
  const auto http = client();
  auto exchange = http->start(post_to(server.url(), 100'000'000), {});
  REQUIRE(exchange);
  // Enough for the server to answer, then nothing: the upload is paused when the 401 comes.
  const std::string piece(100'000, 'p');
  auto sent = (*exchange)->send(std::as_bytes(std::span{piece}));
  REQUIRE(sent);
  REQUIRE(eventually([&] {
    sent = (*exchange)->send(std::as_bytes(std::span{piece.data(), 1}));
    return !sent || *sent == Keep::Enough;
  }));
  REQUIRE(sent);
  const auto head = (*exchange)->head();
  REQUIRE(head);
  CHECK(head->status == 401);
  std::byte into[100];
  const auto n = (*exchange)->read(into);
  REQUIRE(n);
  CHECK(*n == 2);
  CHECK((*exchange)->read(into) == 0u);
  CHECK_FALSE((*exchange)->progress().whole_request_sent);
}

TEST_CASE("an early answer is heard although the server closes at once [E2]") {
  FaultServer server([](Connection& c) {
    c.read_head();
    c.write(answer("429 Too Many Requests", "slow down"));
  });
  const auto http = client(patient());
  const Outcome out = run(*http, post_to(server.url(), 50'000'000));
  CHECK(out.keep == Keep::Enough);
  CHECK(out.status() == 429);
  CHECK(out.body == "slow down");
}

TEST_CASE("an early answer that closes is heard to its end, though its body comes later [E2]") {
  std::promise<void> heard;
  FaultServer server([&](Connection& c) {
    c.read_head();
    c.write("HTTP/1.1 100 Continue\r\n\r\n");
    c.read_body(100'000);  // all that is sent: the upload waits for more, and the way is free
    c.write("HTTP/1.1 422 Unprocessable Content\r\nConnection: close\r\nContent-Length: 4\r\n\r\n");
    heard.get_future().wait();
    c.write("why!");
    c.wait_for_close();
  });
  const auto http = client();
  auto exchange = http->start(post_to(server.url(), 100'000'000), {});
  REQUIRE(exchange);
  const std::string piece(100'000, 'p');
  auto sent = (*exchange)->send(std::as_bytes(std::span{piece}));
  REQUIRE(eventually([&] {
    sent = (*exchange)->send(std::as_bytes(std::span{piece.data(), 1}));
    return !sent || *sent == Keep::Enough;
  }));
  heard.set_value();
  REQUIRE(sent);
  const auto head = (*exchange)->head();
  REQUIRE(head);
  CHECK(head->status == 422);
  std::byte into[100];
  CHECK((*exchange)->read(into) == 4u);
  CHECK((*exchange)->read(into) == 0u);
}

TEST_CASE("short and cut answers are transient errors after the bytes that came [E12]") {
  const std::string reply =
      GENERATE(as<std::string>{}, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nshort");
  FaultServer server([&](Connection& c) {
    c.read_request();
    c.write(reply);
  });
  const auto http = client();
  const Outcome out = run(*http, post_to(server.url(), 10));
  CHECK(out.status() == 200);
  CHECK(out.body == "short");
  CHECK(out.kind() == ErrorKind::Transient);
}

TEST_CASE("an answer that only the connection's end ends is marked as not framed [E13]") {
  FaultServer server([](Connection& c) {
    c.read_request();
    c.write("HTTP/1.1 200 OK\r\n\r\nperhaps all");
  });
  const auto http = client();
  const Outcome out = run(*http, post_to(server.url(), 10));
  REQUIRE_FALSE(out.error);
  CHECK(out.body == "perhaps all");
  CHECK_FALSE(out.head->framed);
}

TEST_CASE("redirects are answers, never followed [E15]") {
  FaultServer other([](Connection& c) { c.read_request(); });
  const std::string status = GENERATE(as<std::string>{}, "301 Moved", "302 Found", "303 See Other",
                                      "307 Temporary", "308 Permanent");
  const bool to_a_file = GENERATE(true, false);
  const std::string to = to_a_file ? "file:///etc/passwd" : other.url();
  FaultServer server([&](Connection& c) {
    while (c.read_request())
      c.write("HTTP/1.1 " + status + "\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n");
  });
  const auto http = client();
  const Outcome out = run(*http, post_to(server.url(), 10));
  REQUIRE_FALSE(out.error);
  CHECK(out.status() == std::stoi(status));
  CHECK(out.head->header("location") == to);
  CHECK(other.connections() == 0);
}

TEST_CASE("endless heads and endless bodies end at their caps [E17]") {
  const auto http = client();
  SECTION("a head of ever more fields") {
    FaultServer server([](Connection& c) {
      c.read_request();
      c.write("HTTP/1.1 200 OK\r\n");
      while (c.write("X-More: " + std::string(1000, 'm') + "\r\n")) {
      }
    });
    CHECK(run(*http, post_to(server.url(), 10)).kind() == ErrorKind::Transient);
  }
  SECTION("one line without an end") {
    FaultServer server([](Connection& c) {
      c.read_request();
      c.write("HTTP/1.1 200 OK\r\nX-More: ");
      while (c.write(std::string(1000, 'm'))) {
      }
    });
    CHECK(run(*http, post_to(server.url(), 10)).kind() == ErrorKind::Transient);
  }
  SECTION("a body of ever more chunks") {
    FaultServer server([](Connection& c) {
      c.read_request();
      c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      while (c.write("400\r\n" + std::string(1024, 'c') + "\r\n")) {
      }
    });
    HttpRequest request = post_to(server.url(), 10);
    request.max_answer = 300'000;
    const Outcome out = run(*http, request);
    CHECK(out.kind() == ErrorKind::Transient);
    CHECK(out.body.size() <= 300'000);
    CHECK(out.error->message.find("larger than 300000 bytes") != std::string::npos);
  }
  SECTION("a declared length over the cap is not even read") {
    FaultServer server([](Connection& c) {
      c.read_request();
      c.write("HTTP/1.1 200 OK\r\nContent-Length: 300001\r\n\r\n");
      c.wait_for_close();
    });
    HttpRequest request = post_to(server.url(), 10);
    request.max_answer = 300'000;
    CHECK(run(*http, request).kind() == ErrorKind::Transient);
  }
}

TEST_CASE("a server that ignores or refuses Expect gets its body all the same [E18]") {
  constexpr std::size_t kBody = 2'000'000;
  SECTION("no 100 ever comes") {
    FaultServer server([](Connection& c) {
      c.read_head();
      c.read_body(kBody);
      c.write(answer("200 OK", "taken"));
    });
    const auto http = client();
    const auto start = std::chrono::steady_clock::now();
    CHECK(run(*http, post_to(server.url(), kBody)).body == "taken");
    CHECK(since(start) < 20s);  // and not after a limit, the next of which is 60 s away
  }
  SECTION("417, then the same request without Expect") {
    FaultServer server([](Connection& c) {
      c.read_head();
      if (c.head().find("Expect: 100-continue") != std::string::npos) {
        c.write(answer("417 Expectation Failed", ""));
        c.read_head();
      }
      c.read_body(kBody);
      c.write(answer("200 OK", "taken"));
    });
    const auto http = client(patient());
    const Outcome out = run(*http, post_to(server.url(), kBody));
    CHECK(out.status() == 200);
    CHECK(out.body == "taken");
  }
  SECTION("other interim answers are passed over") {
    FaultServer server([](Connection& c) {
      c.read_request();
      c.write("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
      c.write(answer("200 OK", "taken"));
    });
    const auto http = client();
    const Outcome out = run(*http, post_to(server.url(), 10));
    CHECK(out.body == "taken");
    CHECK_FALSE(out.head->header("link"));
  }
}

TEST_CASE("nothing that listens is unreachable, and the message names the host only [E7]") {
  const auto http = client();
  const Outcome out = run(*http, post_to("https://127.0.0.1:1/v1?token=secret", 10));
  CHECK(out.kind() == ErrorKind::Unreachable);
  CHECK(out.error->message.find("127.0.0.1:1") != std::string::npos);
  CHECK(out.error->message.find("secret") == std::string::npos);
  CHECK_FALSE(out.progress.connected);
  const Outcome name = run(*http, post_to("https://no-such-host.invalid/", 10));
  CHECK(name.kind() == ErrorKind::Unreachable);
}

TEST_CASE("what is not HTTP is a transient fault [E14]") {
  FaultServer server([](Connection& c) {
    c.read_request();
    c.write("SSH-2.0-OpenSSH_9.2\r\n\r\n");
  });
  const auto http = client();
  CHECK(run(*http, post_to(server.url(), 10)).kind() == ErrorKind::Transient);
}
