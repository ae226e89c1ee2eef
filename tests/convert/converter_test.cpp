#include "agent/convert/api_converter.hpp"

#include <array>

#include "platform/base/sha256.hpp"
#include "tests/api_server/fake_output.hpp"
#include "tests/convert/fakes.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

// A converter over the fake transport, and one file.
struct Bench {
  FakeHttp http;
  ManualClock clock;
  FakeFile file{.bytes = "hello"};
  ApiConverterRules rules{.name = "ctf", .url = "https://api.example/v1/convert"};

  ConvertReply run(const std::string& target = "png") {
    auto converter = make_api_converter(http, rules, clock);
    REQUIRE(converter);
    Payload payload = payload_of(file);
    const std::string key = (*converter)->key_for(payload.sha256(), target, {});
    return (*converter)
        ->convert({.source_name = "a.jpg", .target = target, .options = {}, .key = key}, payload,
                  {});
  }
  std::string header(const std::string& name) const {
    for (const auto& [n, value] : http.wire.request.headers) {
      if (n == name) return value;
    }
    return "absent";
  }
};

std::string output(const std::string& target) {
  return make_fake_output(to_hex(sha256("hello")), target, {});
}

// The same with a link to the file.
struct LinkBench : Bench {
  LinkBench() {
    rules.upload = UploadForm::Url;
    file.link_name = "the object";
  }
  ConvertReply run() {
    auto converter = make_api_converter(http, rules, clock);
    REQUIRE(converter);
    payload.emplace(Payload::linked(std::make_unique<FakeReader>(file)).value());
    const std::string key = (*converter)->key_for(payload->sha256(), "png", {});
    return (*converter)
        ->convert({.source_name = "a.jpg", .target = "png", .key = key}, *payload, {});
  }
  static std::string output() { return ::output("png"); }
  std::optional<Payload> payload;  // outlives the answer's body
};

// Reads to the end, which is an error.
ErrorKind end_of(DigestedSource& body) {
  std::array<std::byte, 64> buffer;
  for (;;) {
    const auto got = body.read(buffer);
    if (!got) return got.error().kind;
    REQUIRE(*got > 0);
  }
}

}  // namespace

TEST_CASE("A good answer is handed on whole, and the request is as documented") {
  Bench bench;
  bench.rules.api_key = [] { return Result<std::string>("sk-1"); };
  bench.http.answer.body = output("png");
  auto reply = bench.run();
  REQUIRE(reply.artifact);
  CHECK(read_all(*reply.artifact->body) == output("png"));
  CHECK(reply.http_status == 200);
  CHECK(reply.whole_request_sent);
  CHECK(reply.verdict->bad_sha256.empty());
  CHECK(reply.bytes_sent == bench.http.wire.request.body_length);
  CHECK(bench.header("Authorization") == "Bearer sk-1");
  CHECK(bench.header("Idempotency-Key").size() == 32);
  CHECK(bench.header("Accept") == "image/png, */*;q=0.5");
  CHECK(bench.header("User-Agent").starts_with("millrace/"));
  CHECK(bench.http.wire.sent.find("sk-1") == std::string::npos);
}

TEST_CASE("Every attempt is byte-identical") {
  Bench bench;
  bench.run();
  const std::string first = bench.http.wire.sent;
  bench.run();
  CHECK(bench.http.wire.sent == first);
  CHECK(bench.http.wire.starts == 2);
}

TEST_CASE("A file above the limit is refused before anything is sent [A11]") {
  Bench bench;
  bench.rules.max_size = 4;
  auto reply = bench.run();
  CHECK(reply.artifact.error().kind == ErrorKind::Input);
  CHECK(reply.artifact.error().message.find("larger than the limit") != std::string::npos);
  CHECK(bench.http.wire.starts == 0);
}

TEST_CASE("A changed small file never makes a complete request [A7]") {
  for (const UploadForm form : {UploadForm::Multipart, UploadForm::Raw}) {
    Bench bench;
    bench.rules.upload = form;
    auto converter = make_api_converter(bench.http, bench.rules, bench.clock);
    Payload payload = payload_of(bench.file);
    bench.file.unchanged = false;
    auto reply = (*converter)->convert({.target = "png", .key = "k"}, payload, {});
    CHECK(reply.artifact.error().kind == ErrorKind::Changed);
    CHECK_FALSE(reply.whole_request_sent);
    CHECK(bench.http.wire.sent.size() < bench.http.wire.request.body_length);
    CHECK(bench.http.wire.dropped);
  }
}

TEST_CASE("A large file that changes while it is sent never makes a complete request [A7]") {
  for (const UploadForm form : {UploadForm::Multipart, UploadForm::Raw}) {
    Bench bench;
    bench.rules.upload = form;
    bench.file.bytes.assign(3 << 20, 'a');
    auto converter = make_api_converter(bench.http, bench.rules, bench.clock);
    Payload payload = payload_of(bench.file);
    CHECK_FALSE(payload.bytes());
    // The stamp stays the same: only the hash can tell.
    bench.file.bytes[(3 << 20) - 1] = 'b';
    auto reply = (*converter)->convert({.target = "png", .key = "k"}, payload, {});
    CHECK(reply.artifact.error().kind == ErrorKind::Changed);
    CHECK_FALSE(reply.whole_request_sent);
    CHECK(bench.http.wire.dropped);
    bench.file.bytes.resize(2 << 20);
    reply = (*converter)->convert({.target = "png", .key = "k"}, payload, {});
    CHECK(reply.artifact.error().kind == ErrorKind::Changed);
    CHECK_FALSE(reply.whole_request_sent);
  }
}

TEST_CASE("A large file is sent whole in both forms [A7]") {
  for (const UploadForm form : {UploadForm::Multipart, UploadForm::Raw}) {
    Bench bench;
    bench.rules.upload = form;
    for (int i = 0; i < (3 << 20) / 8; ++i) bench.file.bytes += std::to_string(10000000 + i);
    bench.http.answer.body = output("png");
    auto reply = bench.run();
    REQUIRE(reply.artifact);
    CHECK(reply.whole_request_sent);
    CHECK(bench.http.wire.sent.find(bench.file.bytes) != std::string::npos);
    CHECK(bench.http.wire.sent.size() == bench.http.wire.request.body_length);
  }
}

TEST_CASE("A file that changes while it is read is no payload [A7]") {
  FakeFile file{.bytes = "hello"};
  file.unchanged = false;
  CHECK(Payload::read(std::make_unique<FakeReader>(file), {}).error().kind == ErrorKind::Changed);
  file.unchanged = true;
  file.before_read = [&] { file.bytes = "hello, world"; };
  CHECK(Payload::read(std::make_unique<FakeReader>(file), {}).error().kind == ErrorKind::Changed);
}

TEST_CASE("Every format's own output is believed, and none of its cuts is [E12] [E13] [E14]") {
  for (const std::string target :
       {"png", "jpg", "gif", "pdf", "webp", "tiff", "zip", "docx", "avif", "heic", "jp2", "jxl",
        "bmp", "svg", "xml", "wav", "mp4", "txt", "unheard-of"}) {
    CAPTURE(target);
    Bench bench;
    bench.http.answer.body = output(target);
    auto reply = bench.run(target);
    REQUIRE(reply.artifact);
    CHECK(read_all(*reply.artifact->body) == output(target));
    for (const char* marked : {"png", "jpg", "gif", "pdf", "webp", "zip", "docx", "svg", "wav"}) {
      if (target != marked) continue;
      bench.http.answer.body.resize(bench.http.answer.body.size() - 8);
      auto cut = bench.run(target);
      REQUIRE(cut.artifact);
      const auto read = read_all(*cut.artifact->body);
      REQUIRE_FALSE(read);
      CHECK(read.error().kind == ErrorKind::Transient);
      CHECK(cut.verdict->bad_sha256 == to_hex(sha256(bench.http.answer.body)));
    }
  }
}

TEST_CASE("A 200 that is no such file is never handed on, and its hash is told [E14]") {
  struct Row {
    const char *target, *body, *type, *why;
  };
  for (const Row& row :
       {Row{"png", "", "image/png", "is empty"}, Row{"png", "<html>x", "image/png", "web page"},
        Row{"png", " \n<!DOCTYPE html>", "x/y", "web page"}, Row{"png", "{}", "image/png", "JSON"},
        Row{"png", "ok..", "image/png", "does not begin"}, Row{"unheard-of", "[1]", "x/y", "JSON"},
        Row{"unheard-of", "<HTML>", "x/y", "web page"},
        Row{"txt", "fine", "text/html; charset=utf-8", "web page"},
        Row{"txt", "fine", "application/json", "JSON"},
        Row{"svg", "<html><svg/></html>", "image/svg+xml", "web page"}}) {
    CAPTURE(row.target, row.body);
    Bench bench;
    bench.http.answer.body = row.body;
    bench.http.answer.headers = {{"content-type", row.type}};
    const auto reply = bench.run(row.target);
    REQUIRE_FALSE(reply.artifact);
    CHECK(reply.artifact.error().kind == ErrorKind::Transient);
    CHECK(reply.artifact.error().message.find(row.why) != std::string::npos);
    CHECK(reply.verdict->bad_sha256 == to_hex(sha256(row.body)));
  }
}

TEST_CASE("An answer without a declared end is refused even if it looks whole [E13]") {
  Bench bench;
  bench.http.answer = {.body = output("png"), .framed = false};
  const auto reply = bench.run();
  CHECK(reply.artifact.error().kind == ErrorKind::Transient);
  CHECK(reply.verdict->bad_sha256 == to_hex(sha256(output("png"))));
}

TEST_CASE("A short or broken answer is transient and has no hash [E12]") {
  Bench bench;
  bench.http.answer = {.body = output("tiff"), .length = output("tiff").size() + 1};
  auto reply = bench.run("tiff");
  auto read = read_all(*reply.artifact->body);
  CHECK(read.error().kind == ErrorKind::Transient);
  CHECK(reply.verdict->bad_sha256.empty());
  std::byte byte{};
  CHECK_FALSE(reply.artifact->body->read({&byte, 1}));  // an error stays
  bench.http.answer.read_error = Error{ErrorKind::Transient, "reset", 0, {}};
  CHECK(bench.run("tiff").artifact.error().message == "reset");  // within the first bytes
  bench.http.answer.body += std::string(2000, '.');              // and behind them
  reply = bench.run("tiff");
  REQUIRE(reply.artifact);
  CHECK(read_all(*reply.artifact->body).error().message == "reset");
}

TEST_CASE("An answer that echoes another key is refused [E20]") {
  Bench bench;
  bench.http.answer = {.headers = {{"idempotency-key", "other"}}, .body = output("png")};
  CHECK(bench.run().artifact.error().kind == ErrorKind::Transient);
}

TEST_CASE("Transport errors keep their kinds [E7] [E9] [E10]") {
  Bench bench;
  bench.http.answer.send_error = Error{ErrorKind::Unreachable, "no route", 0, {}};
  auto reply = bench.run();
  CHECK(reply.artifact.error().kind == ErrorKind::Unreachable);
  CHECK_FALSE(reply.whole_request_sent);
  bench.http.answer = {.head_error = Error{ErrorKind::Transient, "closed", 0, {}}};
  reply = bench.run();
  CHECK(reply.artifact.error().kind == ErrorKind::Transient);
  CHECK(reply.whole_request_sent);  // may have been billed
}

TEST_CASE("An early answer ends the upload [E2]") {
  Bench bench;
  bench.http.answer = {.status = 401, .enough_at_once = true};
  const auto reply = bench.run();
  CHECK(reply.artifact.error().kind == ErrorKind::Configuration);
  CHECK(reply.http_status == 401);
  CHECK_FALSE(reply.whole_request_sent);
}

TEST_CASE("A refused key never reaches a message [M1] [M4]") {
  Bench bench;
  bench.rules.api_key = [] { return Result<std::string>("CANARY\r\nX: y"); };
  auto reply = bench.run();
  CHECK(reply.artifact.error().kind == ErrorKind::Configuration);
  CHECK(reply.artifact.error().message.find("CANARY") == std::string::npos);
  CHECK(bench.http.wire.starts == 0);
  bench.rules.api_key = [] {
    return Result<std::string>(fail(ErrorKind::Configuration, "no such variable"));
  };
  CHECK(bench.run().artifact.error().message == "no such variable");
}

TEST_CASE("An API that says the key back does not get it into a message [M1]") {
  Bench bench;
  bench.rules.api_key = [] { return Result<std::string>("CANARY-1234"); };
  bench.http.answer = {
      .status = 400,
      .body = R"({"error":{"code":"bad","message":"CANARY-1234, CANARY\u002d1234 is no key"}})"};
  const std::string message = bench.run().artifact.error().message;
  CHECK(message.find("is no key") != std::string::npos);
  CHECK(message.find("CANARY") == std::string::npos);
}

TEST_CASE("a link is made for each attempt, and the key stands on what it leads to [N5]") {
  LinkBench bench;
  bench.http.answer.body = bench.output();
  auto first = bench.run();
  REQUIRE(first.artifact);
  CHECK(read_all(*first.artifact->body) == bench.output());
  CHECK(bench.http.wire.sent.find("hello") == std::string::npos);
  CHECK(bench.http.wire.sent.find("https://store/b/a.jpg?sig=1\r\n") != std::string::npos);
  const std::string key = bench.header("Idempotency-Key");
  bench.file.bytes = "HELLO";  // nobody reads them here
  bench.run();
  CHECK(bench.http.wire.sent.find("https://store/b/a.jpg?sig=2\r\n") != std::string::npos);
  CHECK(bench.header("Idempotency-Key") == key);
  bench.file.link_name = "another version";
  bench.run();
  CHECK(bench.header("Idempotency-Key") != key);
  // As long as the attempt may take, and a minute.
  CHECK(bench.file.lives == std::vector<std::chrono::seconds>(3, std::chrono::seconds(255)));
}

TEST_CASE("an answer to a link counts only if the object is still the same at its end [N3]") {
  LinkBench bench;
  bench.http.answer.body = bench.output();
  auto reply = bench.run();
  REQUIRE(reply.artifact);
  CHECK(bench.file.checks == 0);
  SECTION("it is") {
    CHECK(read_all(*reply.artifact->body) == bench.output());
    CHECK(bench.file.checks == 1);
  }
  SECTION("it was replaced") {
    bench.file.unchanged = false;
    CHECK(end_of(*reply.artifact->body) == ErrorKind::Changed);
  }
  SECTION("nobody can tell") {
    bench.file.check_error = Error{ErrorKind::Environment, "the store is away", 0, {}};
    CHECK(end_of(*reply.artifact->body) == ErrorKind::Transient);
  }
  SECTION("its link names the version, so that it does not matter") {
    bench.file.link_names_version = true;
    reply = bench.run();
    bench.file.unchanged = false;
    CHECK(read_all(*reply.artifact->body) == bench.output());
    CHECK(bench.file.checks == 0);
  }
}

TEST_CASE("a link to another version is not sent, and a refusal of one is not the file's [N3]") {
  LinkBench bench;
  bench.file.unchanged = false;
  CHECK(bench.run().artifact.error().kind == ErrorKind::Changed);
  CHECK(bench.http.wire.starts == 0);
  bench.file.unchanged = true;
  bench.http.answer = {.status = 422, .body = R"({"error":{"code":"broken","message":"no"}})"};
  CHECK(bench.run().artifact.error().kind == ErrorKind::Input);
  bench.file.check_error = Error{ErrorKind::Vanished, "gone", 0, {}};
  CHECK(bench.run().artifact.error().kind == ErrorKind::Vanished);
  bench.file.check_error.reset();
  bench.http.answer.body = R"({"error":{"code":"fetch_failed","message":"status 403"}})";
  CHECK(bench.run().artifact.error().kind == ErrorKind::Transient);
  bench.http.answer.body = R"({"error":{"code":"file_url_disabled","message":"no"}})";
  CHECK(bench.run().artifact.error().kind == ErrorKind::Configuration);
}

TEST_CASE("A file without a link is not sent as one, and a URL must be one [I2]") {
  FakeFile file;
  CHECK(Payload::linked(std::make_unique<FakeReader>(file)).error().kind ==
        ErrorKind::Configuration);
  Bench bench;
  bench.rules = {.name = "x", .url = "convert.example"};
  CHECK(make_api_converter(bench.http, bench.rules, bench.clock).error().kind ==
        ErrorKind::Configuration);
}
