// What a program that we start would inherit.
#include <winsock2.h>

#include "tests/support/scratch.hpp"
#include "tests/transfer/client.hpp"
#include "tests/transfer/fault_server.hpp"

using namespace millrace;
using namespace millrace::test;

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
  for (SOCKET socket = 4; socket < 8192; socket += 4) {  // a handle is a multiple of 4
    sockaddr_storage peer{};
    int length = sizeof peer;
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &length) != 0) continue;
    if (peer.ss_family != AF_INET) continue;
    DWORD flags = 0;
    if (!::GetHandleInformation(reinterpret_cast<HANDLE>(socket), &flags)) continue;
    ++sockets;
    CHECK((flags & HANDLE_FLAG_INHERIT) == 0);
  }
  looked = true;
  CHECK(sockets == 2);
}
