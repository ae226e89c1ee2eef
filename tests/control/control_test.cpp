#include "agent/control/control.hpp"

#include <array>

#include "agent/transfer/curl_http.hpp"
#include "platform/http/local_address.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

// Echoes what it was asked.
class EchoAgent final : public ControlledAgent {
 public:
  Result<std::string> status() override { return "{\"asked\":\"status\"}"; }
  Result<std::string> failures() override { return "{\"asked\":\"failures\"}"; }
  Result<std::string> explain(const std::string& file) override { return file; }
  Result<std::string> retry(const std::string& id) override { return id; }
  Result<std::string> rescan(const std::string& folder) override { return folder; }
  Result<std::string> pause(const std::string& name) override {
    return fail(ErrorKind::Configuration, "there is no " + name);
  }
  Result<std::string> resume(const std::string&) override {
    return fail(ErrorKind::Environment, "the disk is full");
  }
  Result<std::string> reload() override { return "{}"; }
};

struct Answer {
  int status = 0;
  std::string body;
};

Answer ask(const std::string& socket, const std::string& method, const std::string& path) {
  auto http = start_curl_http({}).value();
  HttpRequest request;
  const auto address = local_address(socket).value();
  request.method = method;
  request.url = address.origin + path;
  request.unix_socket = address.unix_socket;
  request.headers = address.headers;
  auto exchange = http->start(request, {}).value();
  Answer answer{exchange->head().value().status, {}};
  std::array<std::byte, 4096> buffer{};
  while (const std::size_t n = exchange->read(buffer).value()) {
    answer.body.append(reinterpret_cast<const char*>(buffer.data()), n);
  }
  return answer;
}

}  // namespace

TEST_CASE("the command channel asks the agent and tells its errors apart") {
  const test::Scratch scratch;
  const std::string socket = (scratch / "c.sock").string();
  EchoAgent agent;
  auto server = start_control(socket, agent);
  REQUIRE(server);
  CHECK(ask(socket, "GET", "/v1/status").body == "{\"asked\":\"status\"}");
  CHECK(ask(socket, "GET", "/v1/explain?file=%2Fin%2Fa%20b.png").body == "/in/a b.png");
  CHECK(ask(socket, "POST", "/v1/retry?id=7").body == "7");
  const Answer wrong = ask(socket, "POST", "/v1/pause?name=x");
  CHECK(wrong.status == 400);
  CHECK(wrong.body.find("there is no x") != std::string::npos);
  CHECK(ask(socket, "POST", "/v1/resume?name=x").status == 500);
  CHECK(ask(socket, "GET", "/v1/reload").status == 405);
  CHECK(ask(socket, "GET", "/v1/nothing").status == 404);
}

}  // namespace millrace
