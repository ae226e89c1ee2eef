// A connection that the server closed while it idled costs no request.
#include <openssl/ssl.h>

#include <thread>
#include <vector>

#include "tests/support/scratch.hpp"
#include "tests/transfer/client.hpp"
#include "tests/transfer/fault_server.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr int kNoTls = 0;

struct Row {
  int tls;
  Leaving how;
};

// Answers; the first `leaving` connections are left after their first answer when that is wanted.
struct LeavingServer {
  LeavingServer(const Row& row, int leaving, const TestAuthority& authority)
      : server(
            [=, this](Connection& c) {
              while (c.read_request()) {
                ++server.requests;
                // So that there are as many connections as were asked for.
                if (c.number <= leaving) eventually([&] { return server.requests >= leaving; });
                if (!c.write(answer("200 OK", "fine"))) return;
                if (c.number > leaving) continue;
                eventually([&] { return wanted.load(); });
                c.leave(row.how);
                ++left;
                return c.wait_for_close();
              }
            },
            row.tls == kNoTls
                ? std::nullopt
                : std::optional<ServerTls>{{authority.issue("server"), row.tls, row.tls}}) {}

  std::atomic<bool> wanted{false};
  std::atomic<int> left{0};
  FaultServer server;
};

}  // namespace

TEST_CASE("what the server closed while it idled is not used again [E11]") {
  const Row row = GENERATE(
      Row{TLS1_3_VERSION, Leaving::NotifyAndFin}, Row{TLS1_3_VERSION, Leaving::Notify},
      Row{TLS1_3_VERSION, Leaving::Fin}, Row{TLS1_3_VERSION, Leaving::Reset},
      Row{TLS1_3_VERSION, Leaving::AnswerAndFin}, Row{TLS1_2_VERSION, Leaving::NotifyAndFin},
      Row{TLS1_2_VERSION, Leaving::Notify}, Row{TLS1_2_VERSION, Leaving::Fin},
      Row{TLS1_2_VERSION, Leaving::Reset}, Row{TLS1_2_VERSION, Leaving::AnswerAndFin},
      Row{kNoTls, Leaving::Fin}, Row{kNoTls, Leaving::Reset}, Row{kNoTls, Leaving::AnswerAndFin});
  const std::uint64_t length = GENERATE(as<std::uint64_t>{}, 1, 3'000'000);
  CAPTURE(row.tls, static_cast<int>(row.how), length);
  const Scratch scratch;
  const TestAuthority authority(scratch.path());
  LeavingServer it(row, 1, authority);
  CurlOptions options;
  options.ca_file = authority.trust_file();
  const auto http = client(options);

  REQUIRE_FALSE(run(*http, post_to(it.server.url(), length)).error);
  it.wanted = true;
  REQUIRE(eventually([&] { return it.left == 1; }));
  for (int i = 0; i < 2; ++i) {
    const Outcome next = run(*http, post_to(it.server.url(), length));
    INFO((next.error ? next.error->message : ""));
    CHECK(next.status() == 200);
    CHECK(next.body == "fine");
  }
  CHECK(it.server.requests == 3);
  CHECK(it.server.connections() == 2);
  CHECK(http->counters().requests == 3);
  CHECK(http->counters().connections == 2);
  CHECK(http->counters().resumed == (row.tls == kNoTls ? 0 : 1));
}

TEST_CASE("a request passes over every closed connection that lies in its way [E11]") {
  constexpr int kAtOnce = 5;
  const Scratch scratch;
  const TestAuthority authority(scratch.path());
  LeavingServer it({TLS1_3_VERSION, Leaving::NotifyAndFin}, kAtOnce, authority);
  CurlOptions options;
  options.ca_file = authority.trust_file();
  const auto http = client(options);
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < kAtOnce; ++i)
      workers.emplace_back(
          [&] { good += run(*http, post_to(it.server.url(), 1000)).error ? 0 : 1; });
  }
  REQUIRE(good == kAtOnce);
  it.wanted = true;
  REQUIRE(eventually([&] { return it.left == kAtOnce; }));
  for (int i = 0; i < 3; ++i) CHECK_FALSE(run(*http, post_to(it.server.url(), 1000)).error);
  CHECK(it.server.requests == kAtOnce + 3);
  CHECK(it.server.connections() == kAtOnce + 1);
}
