#include "agent/serve/conversion_server.hpp"

#include <thread>

#include "platform/base/sha256.hpp"
#include "platform/http/local_address.hpp"
#include "tests/http/made_up_ca.hpp"
#include "tests/http/raw_client.hpp"
#include "tests/serve/fake_renderer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using test::ask;
using test::eventually;
using test::RawAnswer;
using test::RawClient;
using test::Scratch;

struct Bench {
  Scratch folder;
  std::shared_ptr<test::RenderControl> control = std::make_shared<test::RenderControl>();
  ManualClock clock;
  ConversionServerOptions options;
  std::unique_ptr<ConversionServer> server;

  Bench() {
    options.listen = "127.0.0.1:0";
    options.token = "secret";
    options.scratch = folder / "scratch";
    options.max_size = 100'000;
  }
  Result<std::unique_ptr<ConversionServer>> try_start() {
    return start_conversion_server(
        options, {[this] { return test::make_fake_renderer(control); }, nullptr, &clock});
  }
  void start() {
    auto started = try_start();
    if (!started) FAIL(started.error().message);
    server = std::move(*started);
  }
  std::string address() const { return server->address(); }
  std::size_t files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(options.scratch))
      ++count;
    return count;
  }
};

std::string request(std::string_view line, std::string_view fields, std::string_view body,
                    std::string_view token = "secret") {
  std::string out(line);
  out += " HTTP/1.1\r\nHost: localhost\r\n";
  if (!token.empty()) out.append("Authorization: Bearer ").append(token).append("\r\n");
  out.append(fields).append("Content-Length: ").append(std::to_string(body.size()));
  return out.append("\r\n\r\n").append(body);
}

std::string field(std::string_view name, std::string_view value) {
  std::string out = "--B\r\nContent-Disposition: form-data; name=\"";
  return out.append(name).append("\"\r\n\r\n").append(value).append("\r\n");
}

std::string form(std::string_view content, std::string_view target, std::string_view key = "",
                 std::string_view more = "") {
  std::string body(more);
  body +=
      "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../evil.txt\"\r\n\r\n";
  body.append(content).append("\r\n").append(field("target", target)).append("--B--\r\n");
  std::string fields = "Content-Type: multipart/form-data; boundary=B\r\n";
  if (!key.empty()) fields.append("Idempotency-Key: ").append(key).append("\r\n");
  return request("POST /v1/convert", fields, body);
}

bool has_code(const RawAnswer& answer, const std::string& code) {
  return answer.body.find("\"code\":\"" + code + "\"") != std::string::npos;
}

}  // namespace

TEST_CASE("a form and a raw body are converted, and nothing is left in scratch") {
  Bench bench;
  bench.start();
  auto answer = ask(bench.address(), form("hello", "up"));
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->body == "UP:hello");
  CHECK(answer->has("content-type: image/up"));
  answer = ask(bench.address(), request("POST /v1/convert?target=UP", "", "raw"));
  CHECK(answer->body == "UP:raw");
  CHECK(eventually([&] { return bench.files() == 0; }));
}

TEST_CASE("a body that was spooled is converted byte for byte, in either form") {
  Bench bench;
  bench.options.max_size = 5'000'000;
  bench.start();
  std::string large;
  for (int i = 0; large.size() < 3'000'000; ++i) large += std::to_string(i) + "\r\n--";
  CHECK(ask(bench.address(), form(large, "up"))->body == "UP:" + large);
  CHECK(ask(bench.address(), request("POST /v1/convert?target=up", "", large))->body ==
        "UP:" + large);
  CHECK(eventually([&] { return bench.files() == 0; }));
}

TEST_CASE("every refusal has its status and code") {
  Bench bench;
  bench.start();
  const std::string raw = "POST /v1/convert?target=up";
  const std::string json = "Content-Type: application/json\r\n";
  struct Row {
    std::string request;
    int status;
    std::string code;
  };
  const std::vector<Row> rows = {
      {request(raw, "", "x", ""), 401, "unauthorized"},
      {request(raw, "", "x", "secret2"), 401, "unauthorized"},
      {request(raw, "", "x", "secre"), 401, "unauthorized"},
      {request("GET /v1/formats", "", "", "wrong"), 401, "unauthorized"},
      {request("GET /metrics", "", "", "wrong"), 401, "unauthorized"},
      {request("GET /v1/convert", "", ""), 405, "method_not_allowed"},
      {request("GET /v1/../etc", "", ""), 400, "bad_request"},
      {request("GET /nothing", "", ""), 404, "not_found"},
      {request("POST /v1/convert", "", "x"), 400, "bad_request"},
      {request("POST /v1/convert?target=../x", "", "x"), 400, "bad_request"},
      {request("POST /v1/convert?target=up&target=up", "", "x"), 400, "bad_request"},
      {request("POST /v1/convert?target=up&a=1&a=2", "", "x"), 400, "bad_request"},
      {request(raw, "Idempotency-Key: a b\r\n", "x"), 400, "bad_idempotency_key"},
      {request(raw, "Idempotency-Key: " + std::string(129, 'a') + "\r\n", "x"), 400,
       "bad_idempotency_key"},
      {request(raw, "", std::string(100'001, 'x')), 413, "too_large"},
      {form(std::string(100'001, 'x'), "up"), 413, "too_large"},
      {request(raw, "", std::string(2'000'000, 'x')), 413, "too_large"},
      {form("x", "png"), 415, "unsupported_route"},
      {form("broken", "up"), 422, "conversion_failed"},
      {form("crash", "up"), 422, "decoder_crashed"},
      {form("hang", "up"), 422, "too_slow"},
      {form("x", "up", "", field("file", "y")), 400, "bad_request"},
      {request("POST /v1/convert", "Content-Type: multipart/form-data\r\n", "x"), 400,
       "bad_request"},
      {request("POST /v1/convert", json, R"({"file_url":"https://10.0.0.1/x","target":"up"})"), 422,
       "file_url_disabled"},
      {request("POST /v1/convert", json, R"({"file_url":"https://a/x"})"), 400, "bad_request"},
      {request("POST /v1/convert", json, R"(["file_url"])"), 400, "bad_request"},
      {request("POST /v1/convert", json, "{"), 400, "bad_request"},
  };
  for (const Row& row : rows) {
    INFO(row.request.substr(0, 300));
    const auto answer = ask(bench.address(), row.request);
    REQUIRE(answer);
    CHECK(answer->status == row.status);
    CHECK(has_code(*answer, row.code));
  }
  CHECK(eventually([&] { return bench.files() == 0; }));
}

TEST_CASE("formats, health and metrics are told") {
  Bench bench;
  bench.start();
  const auto formats = ask(bench.address(), request("GET /v1/formats", "", ""));
  CHECK(formats->body.find(R"({"from":"txt","to":["up"]})") != std::string::npos);
  CHECK(ask(bench.address(), request("GET /healthz", "", "", ""))->status == 200);
  ask(bench.address(), form("x", "up"));
  ask(bench.address(), form("broken", "up"));
  const auto metrics = ask(bench.address(), request("GET /metrics", "", ""));
  const auto& text = metrics->body;
  CHECK(text.find("millrace_serve_conversions_total{result=\"ok\"} 1\n") != std::string::npos);
  CHECK(text.find("millrace_serve_answers_total{status=\"422\"} 1\n") != std::string::npos);
  CHECK(text.find("evil") == std::string::npos);
}

TEST_CASE("a repeated key is answered again without converting") {
  Bench bench;
  bench.start();
  const auto first = ask(bench.address(), form("hello", "up", "k1"));
  CHECK(!first->has("idempotent-replay"));
  const auto again = ask(bench.address(), form("hello", "up", "k1"));
  CHECK(again->body == "UP:hello");
  CHECK(again->has("idempotent-replay: true"));
  // The key stands for the bytes, not for the form around them.
  const auto raw = ask(bench.address(), request("POST /v1/convert?target=up&source=txt",
                                                "Idempotency-Key: k1\r\n", "hello"));
  CHECK(raw->has("idempotent-replay: true"));
  CHECK(bench.control->rendered == 1);
  for (const std::string& other : {form("other", "up", "k1"), form("hello", "png", "k1"),
                                   form("hello", "up", "k1", field("quality", "3"))}) {
    const auto refused = ask(bench.address(), other);
    CHECK(refused->status == 422);
    CHECK(has_code(*refused, "idempotency_key_reused"));
  }
  bench.clock.advance(25h);
  CHECK(!ask(bench.address(), form("hello", "up", "k1"))->has("idempotent-replay"));
}

TEST_CASE("a kept answer that was removed from the scratch folder is converted again") {
  Bench bench;
  bench.start();
  CHECK(ask(bench.address(), form("hello", "up", "k1"))->status == 200);
  REQUIRE(eventually([&] {
    std::error_code still_open;
    for (const auto& entry : std::filesystem::directory_iterator(bench.options.scratch))
      std::filesystem::remove(entry.path(), still_open);
    return bench.files() == 0;
  }));
  const auto again = ask(bench.address(), form("hello", "up", "k1"));
  CHECK(again->status == 200);
  CHECK(again->body == "UP:hello");
  CHECK(bench.control->rendered == 2);
  CHECK(ask(bench.address(), form("hello", "up", "k1"))->has("idempotent-replay: true"));
}

TEST_CASE("a broken file is answered again, a crash is tried again") {
  Bench bench;
  bench.start();
  for (int i = 0; i < 2; ++i) CHECK(ask(bench.address(), form("broken", "up", "b"))->status == 422);
  CHECK(bench.control->rendered == 1);
  for (int i = 0; i < 2; ++i) CHECK(ask(bench.address(), form("crash", "up", "c"))->status == 422);
  CHECK(bench.control->rendered == 3);
}

TEST_CASE("one key at once is converted once; the others hear 409 or the same answer") {
  Bench bench;
  bench.options.renderers = 4;
  bench.start();
  bench.control->held = true;
  std::atomic<int> converted{0}, conflicts{0}, replays{0};
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 12; ++i)
      clients.emplace_back([&] {
        const auto answer = ask(bench.address(), form("same", "up", "one"));
        if (!answer) return;
        if (answer->status == 409) ++conflicts;
        if (answer->status == 200) ++(answer->has("idempotent-replay") ? replays : converted);
      });
    CHECK(eventually([&] { return conflicts >= 3; }));
    bench.control->held = false;
  }
  CHECK(converted == 1);
  CHECK(bench.control->rendered == 1);
  CHECK(converted + conflicts + replays == 12);
}

TEST_CASE("kept answers stay under their bytes on disk") {
  Bench bench;
  bench.options.cache_bytes = 100'000;
  bench.start();
  for (int i = 0; i < 20; ++i) {
    const auto answer =
        ask(bench.address(), form(std::string(20'000, 'a'), "up", "k" + std::to_string(i)));
    CHECK(answer->status == 200);
  }
  CHECK(eventually([&] { return bench.files() <= 5; }));
  CHECK(
      ask(bench.address(), form(std::string(20'000, 'a'), "up", "k19"))->has("idempotent-replay"));
}

TEST_CASE("above the queue the next one is asked to come again") {
  Bench bench;
  bench.options.renderers = 1;
  bench.options.queue_limit = 1;
  bench.start();
  bench.control->held = true;
  RawClient first(bench.address()), second(bench.address());
  first.send(form("1", "up"));
  REQUIRE(eventually([&] { return bench.control->waiting == 1; }));
  second.send(form("2", "up").substr(0, 200));  // still uploads, and has its place
  std::optional<RawAnswer> third;
  CHECK(eventually([&] {
    third = ask(bench.address(), form("3", "up"));
    return third && third->status == 429;
  }));
  CHECK(third->has("retry-after: 1"));
  CHECK(ask(bench.address(), request("GET /healthz", "", ""))->status == 200);
  second.reset();  // an upload that ends gives its place back
  bench.control->held = false;
  CHECK(first.receive()->status == 200);
  CHECK(eventually([&] { return ask(bench.address(), form("3", "up"))->status == 200; }));
}

TEST_CASE("a port that others reach needs TLS and a token [L5]") {
  Bench bench;
  const auto ca = test::make_ca(bench.folder.path());
  bench.options.listen = GENERATE("0.0.0.0:0", "[::]:0", "192.0.2.1:0");
  auto& options = bench.options;
  const auto refused = [&] {
    const auto server = bench.try_start();
    return !server && server.error().kind == ErrorKind::Configuration &&
           server.error().message.find("TLS") != std::string::npos;
  };
  CHECK(refused());
  options.certificate = ca.certificate;
  options.private_key = ca.key;
  options.token = "";
  CHECK(refused());
  options.certificate = options.private_key = "";
  CHECK(refused());
}

TEST_CASE("over TLS and to the same user alone the API is the same [E8]") {
  Bench bench;
  const auto ca = test::make_ca(bench.folder.path());
  bench.options.certificate = ca.certificate;
  bench.options.private_key = ca.key;
  bench.start();
  const auto answer =
      test::ask_tls(bench.address(), ca.ca,
                    request("POST /v1/convert?target=up", "Connection: close\r\n", "tls"));
  CHECK(answer.text.ends_with("\r\n\r\nUP:tls"));
  bench.server.reset();
  bench.options.certificate = bench.options.private_key = "";
  bench.options.listen = "";
  bench.options.unix_socket = bench.folder / "api";
  bench.options.token = "";
  bench.start();
  const auto there = local_address(bench.options.unix_socket).value();
  std::string fields;
  for (const auto& [name, value] : there.headers) fields += name + ": " + value + "\r\n";
  const auto local = ask(there.unix_socket.empty() ? there.origin : there.unix_socket,
                         request("POST /v1/convert?target=up", fields, "local", ""));
  CHECK(local->body == "UP:local");
}

TEST_CASE("without a token no page in a browser reaches the API [L1] [L2]") {
  Bench bench;
  bench.options.token = "";
  bench.start();
  const std::string head = "GET /v1/formats HTTP/1.1\r\nHost: ";
  CHECK(ask(bench.address(), head + "evil.example\r\n\r\n")->status == 403);
  CHECK(ask(bench.address(), head + "127.0.0.1.evil.example:80\r\n\r\n")->status == 403);
  CHECK(ask(bench.address(), head + "localhost\r\nOrigin: https://evil\r\n\r\n")->status == 403);
  CHECK(ask(bench.address(), head + "localhost:1\r\n\r\n")->status == 200);
}

TEST_CASE("stop ends what is held up, and a start clears only its own leftovers") {
  Bench bench;
  bench.start();
  bench.control->held = true;
  RawClient client(bench.address());
  client.send(form("1", "up"));
  REQUIRE(eventually([&] { return bench.control->waiting == 1; }));
  const auto began = std::chrono::steady_clock::now();
  bench.server->stop(50ms);
  CHECK(std::chrono::steady_clock::now() - began < 5s);
  bench.server.reset();
  test::write_file(bench.options.scratch / "in-7", "old");
  test::write_file(bench.options.scratch / "body-7", "old");
  std::filesystem::create_directory(bench.options.scratch / "worker-7");
  test::write_file(bench.options.scratch / "worker-7" / "in", "old");
  test::write_file(bench.options.scratch / "mine.txt", "precious");
  bench.start();
  CHECK(bench.files() == 1);
}

}  // namespace millrace
