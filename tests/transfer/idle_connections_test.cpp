#include "agent/transfer/idle_connections.hpp"

#include "tests/http/listening_socket.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

// A connection whose peer says something when told to.
class Pair {
 public:
  Pair() {
    int port = 0;
    const std::intptr_t listener = listen_on_loopback(1, port);
    ours_ = connect_socket("http://127.0.0.1:" + std::to_string(port));
    theirs_ = accept_on(listener);
    close_socket(listener, Close::InOrder);
    REQUIRE(ours_ != kNoSocket);
    REQUIRE(theirs_ != kNoSocket);
  }
  ~Pair() {
    close_socket(ours_, Close::InOrder);
    close_socket(theirs_, Close::InOrder);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  std::intptr_t ours() const { return ours_; }
  void say() { REQUIRE(send_some(theirs_, "x") == 1); }
  void end() { end_sending(theirs_); }

 private:
  std::intptr_t ours_ = kNoSocket, theirs_ = kNoSocket;
};

bool soon_ended(const IdleConnections& idle, const ConnectionEnds& ends) {
  return eventually([&] { return idle.ended(ends); });
}

ConnectionEnds from_port(int port) { return {"10.0.0.1", "10.0.0.2", port, 443}; }

}  // namespace

TEST_CASE("an idle connection is of use as long as nothing arrives on it") {
  Pair quiet, spoken, ended;
  IdleConnections idle;
  idle.add(from_port(1), quiet.ours());
  idle.add(from_port(2), spoken.ours());
  idle.add(from_port(3), ended.ours());
  for (const int port : {1, 2, 3, 4}) CHECK_FALSE(idle.ended(from_port(port)));
  spoken.say();
  ended.end();
  CHECK_FALSE(idle.ended(from_port(1)));
  CHECK(soon_ended(idle, from_port(2)));
  CHECK(soon_ended(idle, from_port(3)));
  CHECK_FALSE(idle.ended(from_port(4)));
}

TEST_CASE("a connection takes the place of an earlier one with its socket or its ends") {
  Pair first, second;
  first.end();
  IdleConnections idle;
  idle.add(from_port(1), first.ours());
  REQUIRE(soon_ended(idle, from_port(1)));
  idle.add(from_port(1), second.ours());
  CHECK_FALSE(idle.ended(from_port(1)));
  idle.add(from_port(2), second.ours());
  second.end();
  CHECK_FALSE(idle.ended(from_port(1)));
  CHECK(soon_ended(idle, from_port(2)));
}

TEST_CASE("connections that only the port of their peer tells apart are told apart") {
  Pair quiet, ended;
  ended.end();
  ConnectionEnds other = from_port(1);
  other.peer_port = 8443;
  IdleConnections idle;
  idle.add(from_port(1), quiet.ours());
  idle.add(other, ended.ours());
  CHECK_FALSE(idle.ended(from_port(1)));
  CHECK(soon_ended(idle, other));
}
