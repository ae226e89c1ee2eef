#include "agent/transfer/idle_connections.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

// A connection whose peer says something when told to.
class Pair {
 public:
  Pair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_) == 0); }
  ~Pair() {
    close(ends_[0]);
    close(ends_[1]);
  }
  int ours() const { return ends_[0]; }
  void say() { REQUIRE(send(ends_[1], "x", 1, 0) == 1); }
  void end() { shutdown(ends_[1], SHUT_WR); }

 private:
  int ends_[2]{};
};

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
  CHECK(idle.ended(from_port(2)));
  CHECK(idle.ended(from_port(3)));
  CHECK_FALSE(idle.ended(from_port(4)));
}

TEST_CASE("a connection takes the place of an earlier one with its socket or its ends") {
  Pair first, second;
  first.end();
  IdleConnections idle;
  idle.add(from_port(1), first.ours());
  REQUIRE(idle.ended(from_port(1)));
  idle.add(from_port(1), second.ours());
  CHECK_FALSE(idle.ended(from_port(1)));
  idle.add(from_port(2), second.ours());
  second.end();
  CHECK_FALSE(idle.ended(from_port(1)));
  CHECK(idle.ended(from_port(2)));
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
  CHECK(idle.ended(other));
}
