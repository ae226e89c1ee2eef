// The converter over the real transport, against the stand-in API.
#include "agent/convert/api_converter.hpp"
#include "agent/transfer/curl_http.hpp"
#include "platform/base/sha256.hpp"
#include "tests/api_server/api_server.hpp"
#include "tests/api_server/fake_output.hpp"
#include "tests/convert/fakes.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

// More than a busy machine takes for anything.
constexpr Duration kPatience = 60s;

// What an attempt came to in the end, with the body read.
struct Outcome {
  std::optional<Error> error = {};
  std::string body = {};
  bool whole_request_sent = false;
  std::string bad_sha256 = {};
  Duration retry_after{0};
};

struct Line {
  explicit Line(std::vector<std::string> options = {}) : server(std::move(options)) {
    auto started = start_curl_http({});
    if (!started) throw std::runtime_error(started.error().message);
    http = std::move(*started);
    rules.timeouts = {.connect = kPatience, .stall = kPatience, .thinking = kPatience};
  }

  Outcome convert(const std::string& bytes, const std::string& target = "png") {
    rules.name = "stand-in";
    rules.url = server.url();
    auto converter = make_api_converter(*http, rules, clock);
    FakeFile file{.bytes = bytes};
    Payload payload = payload_of(file);
    const std::string key = (*converter)->key_for(payload.sha256(), target, {});
    auto reply =
        (*converter)->convert({.source_name = "a.jpg", .target = target, .key = key}, payload, {});
    Outcome outcome{.whole_request_sent = reply.whole_request_sent};
    if (!reply.artifact) {
      outcome.error = reply.artifact.error();
    } else if (auto body = read_all(*reply.artifact->body)) {
      outcome.body = *body;
    } else {
      outcome.error = body.error();
    }
    outcome.bad_sha256 = reply.verdict->bad_sha256;
    return outcome;
  }

  ApiServer server;
  SystemClock clock;
  std::unique_ptr<HttpClient> http;
  ApiConverterRules rules;
};

}  // namespace

TEST_CASE("Each fault of the API ends as its kind, and the next attempt is served [E1-E16] [E20]") {
  using enum ErrorKind;
  struct Row {
    const char* fault;
    ErrorKind kind;
  };
  const Row rows[] = {{"reset", Transient},
                      {"reset at=0.5", Transient},
                      {"reset at=0.99", Transient},
                      {"close-after-upload", Transient},
                      {"status=400", Input},
                      {"status=400 body=html", Configuration},
                      {"status=401", Configuration},
                      {"early=401", Configuration},
                      {"status=402", Quota},
                      {"status=404 body=html", Configuration},
                      {"status=409", Busy},
                      {"status=413", Input},
                      {"status=422 code=idempotency_mismatch", Defect},
                      {"status=429", Rate},
                      {"status=429 code=quota_exceeded", Quota},
                      {"status=500", Transient},
                      {"status=503 retry-after=2", Rate},
                      {"status=204", Transient},
                      {"partial", Transient},
                      {"redirect=307 to=http://127.0.0.1:9/", Configuration},
                      {"html", Transient},
                      {"json", Transient},
                      {"empty", Transient},
                      {"magic", Transient},
                      {"truncate=0.5 framing=length", Transient},
                      {"truncate=0.5 framing=short", Transient},
                      {"truncate=0.5 framing=none", Transient},
                      {"truncate=0.5 framing=chunked", Transient},
                      {"close-delimited", Transient},
                      {"hang", Transient},
                      {"id", Transient}};
  Line line;
  int number = 0;
  for (const Row& row : rows) {
    CAPTURE(row.fault);
    line.server.faults("seq=1 " + std::string(row.fault));
    const std::string bytes(100'000, static_cast<char>('A' + number++ % 50));
    const auto input = bytes + std::to_string(number);
    line.rules.timeouts.thinking = row.fault == std::string("hang") ? 1s : kPatience;
    const Outcome first = line.convert(input);
    REQUIRE(first.error);
    CHECK(first.error->kind == row.kind);
    line.rules.timeouts.thinking = kPatience;
    const Outcome second = line.convert(input);
    REQUIRE_FALSE(second.error);
    CHECK(input_of_fake_output(second.body) == to_hex(sha256(input)));
  }
  CHECK(line.server.count("keys_billed_twice") == 0);
  CHECK(line.server.count("mismatches") == 0);
  CHECK(line.server.count("posts") == 2 * std::size(rows));
}

TEST_CASE("The same nonsense twice has the same hash [E14]") {
  Line line;
  line.server.faults("html");
  const Outcome first = line.convert("x"), second = line.convert("x");
  CHECK(first.bad_sha256.size() == 64);
  CHECK(first.bad_sha256 == second.bad_sha256);
  CHECK(line.server.count("billed") == 1);
}

TEST_CASE("Retry-After as an HTTP-date is measured by the server's clock [E4]") {
  Line line({"--date-offset", "86400"});
  line.server.faults("status=429 retry-after=date:30");
  const Outcome outcome = line.convert("x");
  CHECK(outcome.error->retry_after == 30s);
}

TEST_CASE("Large and small files arrive whole in both forms, chunked answers too") {
  Line line;
  line.server.faults("chunked");
  for (const UploadForm form : {UploadForm::Multipart, UploadForm::Raw}) {
    line.rules.upload = form;
    for (const std::size_t size : {1u, 70'000u, 1u << 20, 5'000'000u}) {
      const std::string bytes(size, form == UploadForm::Raw ? 'r' : 'm');
      const Outcome outcome = line.convert(bytes, "pdf");
      CAPTURE(size, outcome.error ? outcome.error->message : "");
      REQUIRE_FALSE(outcome.error);
      CHECK(outcome.whole_request_sent);
      CHECK(input_of_fake_output(outcome.body) == to_hex(sha256(bytes)));
    }
  }
}
