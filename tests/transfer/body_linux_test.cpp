// Unix sockets, and what a program that we start would inherit.
#include <fcntl.h>
#include <sys/socket.h>

#include "tests/support/scratch.hpp"
#include "tests/transfer/client.hpp"
#include "tests/transfer/fault_server.hpp"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("a request goes over a Unix socket, whatever host its URL names") {
  const Scratch scratch;
  FaultServer server(
      [](Connection& connection) {
        while (connection.read_request())
          if (!connection.write(answer("200 OK", connection.head()))) return;
      },
      scratch / "api.sock");
  const auto http = client();
  HttpRequest request = post_to("http://millrace.internal/v1/convert", 20'000);
  request.unix_socket = scratch / "api.sock";
  const Outcome out = run(*http, request);
  REQUIRE_FALSE(out.error);
  CHECK(out.body.find("Host: millrace.internal") != out.body.npos);
  request.unix_socket = scratch / "nobody.sock";
  CHECK(run(*http, request).kind() == ErrorKind::Unreachable);
}

TEST_CASE("connections are not inherited by programs that we start") {
  std::atomic<bool> looked{false};
  std::atomic<bool> there{false};
  FaultServer server([&](Connection& c) {
    c.read_request();
    there = true;
    eventually([&] { return looked.load(); });
  });
  const auto http = client();
  auto exchange = http->start(post_to(server.url(), 1), {});
  REQUIRE((*exchange)->send(std::as_bytes(std::span{"x", 1})));
  REQUIRE(eventually([&] { return there.load(); }));
  int sockets = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) != 0) continue;
    if (peer.ss_family != AF_INET) continue;
    ++sockets;
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  }
  looked = true;
  CHECK(sockets == 2);
}
