#include "agent/events/event_server.hpp"

#include <mutex>
#include <vector>

#include "tests/http/raw_client.hpp"
#include "tests/support/catch.hpp"

namespace millrace {
namespace {

constexpr std::string_view kEvent =
    R"({"Records":[{"s3":{"bucket":{"name":"photos"},"object":{"key":"in/a.png"}}}]})";

// A listener, what it was told to look at, and a store that pushes.
struct Bench {
  Bench() {
    auto started = EventServer::start(
        {"127.0.0.1:0", "s3cret+/", {}, {}, counts, [this](const PushedObject& object) {
           const std::lock_guard lock(mutex);
           seen.push_back(object);
           return object.bucket == "photos";
         }});
    REQUIRE(started);
    server = std::move(*started);
  }

  int push(const std::string& target, const std::string& header, std::string_view body = kEvent,
           const std::string& method = "POST") {
    const auto answer =
        test::ask(server->address(), method + " " + target + " HTTP/1.1\r\nHost: a\r\n" + header +
                                         "Content-Length: " + std::to_string(body.size()) +
                                         "\r\n\r\n" + std::string(body));
    return answer ? answer->status : 0;
  }

  EventCounts counts;
  std::mutex mutex;
  std::vector<PushedObject> seen;
  std::unique_ptr<EventServer> server;
};

}  // namespace

TEST_CASE("the secret is taken from the query, as a bearer's and as a password") {
  Bench bench;
  CHECK(bench.push("/events?secret=s3cret%2B/", "") == 200);
  CHECK(bench.push("/", "Authorization: Bearer s3cret+/\r\n") == 200);
  CHECK(bench.push("/", "Authorization: Basic bWlsbHJhY2U6czNjcmV0Ky8=\r\n") == 200);
  CHECK(bench.counts.accepted == 3);
  CHECK(bench.counts.looked_at == 3);
  CHECK(bench.seen == std::vector<PushedObject>(3, {"photos", "in/a.png"}));
}

TEST_CASE("a message without the right secret is refused unread and counted") {
  Bench bench;
  int refused = 0;
  for (const auto& [target, header] : std::vector<std::pair<std::string, std::string>>{
           {"/", ""},
           {"/?secret=", ""},
           {"/?secret=s3cret", ""},
           {"/?secret=s3cret%2B/x", ""},
           {"/", "Authorization: Bearer s3cret\r\n"},
           {"/", "Authorization: Digest s3cret+/\r\n"},
           {"/", "Authorization: Basic czNjcmV0Ky8=\r\n"}}) {  // without a user
    INFO(target + header);
    CHECK(bench.push(target, header) == 403);
    CHECK(bench.counts.refused == ++refused);
  }
  CHECK(bench.seen.empty());
}

TEST_CASE("what is no event is told to its sender, and a large message is not read") {
  Bench bench;
  const std::string there = "/?secret=s3cret%2B/";
  CHECK(bench.push(there, "", "hello") == 400);
  CHECK(bench.push(there, "", "", "GET") == 405);
  CHECK(bench.push(there, "", std::string(1'000'001, ' ')) == 413);
  CHECK(bench.counts.unreadable == 1);
  CHECK(bench.counts.accepted == 0);
  CHECK(bench.push(there, "",
                   R"({"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]})") == 200);
  CHECK(bench.counts.looked_at == 0);  // no folder's
  CHECK(bench.seen.size() == 1);
}

TEST_CASE("the password of Basic is what stands behind the first colon") {
  CHECK(basic_password("Basic dTphOmI=") == "a:b");
  CHECK(basic_password("basic dTo=").empty());
  CHECK(basic_password("Basic !!").empty());
  CHECK(basic_password("Bearer dTphOmI=").empty());
}

}  // namespace millrace
