// When a request is sent again, and that its keys go nowhere else.
#include <atomic>
#include <thread>

#include "agent/s3/iso_time.hpp"
#include "tests/s3/fake_s3.hpp"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

const std::string kListing =
    "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";

S3Result<ListingEnd> list(S3Bench& bench) {
  return bench.s3.list({}, [](ListedObject) -> Result<void> { return {}; }, {});
}

bool is_signed_for(const ServerRequest& request, const std::string& region) {
  return request.header("authorization").find('/' + region + "/s3/aws4_request") !=
         std::string_view::npos;
}

WallTime signed_time(const ServerRequest& request) {
  std::string text(request.header("x-amz-date"));  // 20260101T000000Z
  REQUIRE(text.size() == 16);
  for (const std::size_t at : {13, 11}) text.insert(at, ":");
  for (const std::size_t at : {6, 4}) text.insert(at, "-");
  return parse_iso_time(text).value();
}

}  // namespace

TEST_CASE("a redirect to another region is signed anew for it, at the same server [N6]") {
  S3Bench bench;
  FakeS3 elsewhere;
  auto& redirect = bench.server.then(301, error_body("PermanentRedirect"));
  redirect.headers = {{"x-amz-bucket-region", "eu-west-1"}, {"Location", elsewhere.url() + "/bkt"}};
  bench.server.then(200, kListing);
  bench.server.then(200, kListing);
  CHECK(list(bench));
  REQUIRE(bench.server.asked().size() == 2);
  CHECK(is_signed_for(bench.server.asked()[0], "us-east-1"));
  CHECK(is_signed_for(bench.server.asked()[1], "eu-west-1"));
  // What was learnt holds for the next one.
  CHECK(list(bench));
  REQUIRE(bench.server.asked().size() == 3);
  CHECK(is_signed_for(bench.server.asked()[2], "eu-west-1"));
  CHECK(elsewhere.asked().empty());
}

TEST_CASE("a region that an error tells is taken over, too [N6]") {
  S3Bench bench;
  bench.server.then(400, error_body("AuthorizationHeaderMalformed", "<Region>ap-south-1</Region>"));
  bench.server.then(200, kListing);
  CHECK(list(bench));
  CHECK(is_signed_for(bench.server.asked().at(1), "ap-south-1"));
}

TEST_CASE("a redirect without a region, or in a circle, ends and goes nowhere [N6]") {
  FakeS3 elsewhere;
  for (const std::string region : {"", "us-east-1", "evil.example/", "EU"}) {
    S3Bench bench;
    auto& redirect = bench.server.then(307, "");
    redirect.headers = {{"Location", elsewhere.url() + "/bkt"}};
    if (!region.empty()) redirect.headers.emplace_back("x-amz-bucket-region", region);
    CHECK(failure_of(list(bench)).kind == ErrorKind::Configuration);
    CHECK(bench.server.asked().size() == 1);
    // What is no region is not learnt.
    bench.server.then(200, kListing);
    CHECK(list(bench));
  }
  S3Bench bench;
  for (const char* region : {"eu-west-1", "eu-west-2", "eu-west-3"})
    bench.server.then(301, "").headers = {{"x-amz-bucket-region", region}};
  CHECK(failure_of(list(bench)).kind == ErrorKind::Configuration);
  CHECK(bench.server.asked().size() == 2);
  CHECK(elsewhere.asked().empty());
}

TEST_CASE("a clock that is off is set by the server's Date, and the request repeated [H4]") {
  // The server's own Date is today's; the bench's clock stands at the beginning of 2026.
  S3Bench bench;
  bench.server.then(403, error_body("RequestTimeTooSkewed"));
  bench.server.then(200, kListing);
  CHECK(list(bench));
  REQUIRE(bench.server.asked().size() == 2);
  CHECK(bench.server.asked()[0].header("x-amz-date") == "20260101T000000Z");
  const auto second = signed_time(bench.server.asked()[1]);
  CHECK(std::chrono::abs(second - std::chrono::system_clock::now()) < 2min);
  // Refused with the server's own time: the clock was not the reason.
  bench.server.then(403, error_body("RequestTimeTooSkewed"));
  CHECK(failure_of(list(bench)).kind == ErrorKind::Configuration);
  CHECK(bench.server.asked().size() == 3);
}

TEST_CASE("what was signed before the time was learnt is signed again, by each of many [H4]") {
  S3Bench bench;
  for (int i = 0; i < 8; ++i) bench.server.then(403, error_body("RequestTimeTooSkewed"));
  for (int i = 0; i < 8; ++i) bench.server.then(200, kListing);
  std::atomic<int> good = 0;
  {
    bench.keys.meet(8);  // all are signed before the first answer
    std::vector<std::jthread> callers;
    for (int i = 0; i < 8; ++i) callers.emplace_back([&] { good += list(bench) ? 1 : 0; });
  }
  CHECK(good == 8);
}

TEST_CASE("keys that expired are replaced, once for a request [N5]") {
  S3Bench bench;
  bench.server.then(400, error_body("ExpiredToken"));
  bench.server.then(200, kListing);
  CHECK(list(bench));
  CHECK(bench.server.asked().at(0).header("authorization").find("KEY1/") != std::string_view::npos);
  CHECK(bench.server.asked().at(1).header("authorization").find("KEY2/") != std::string_view::npos);
  bench.server.then(400, error_body("ExpiredToken"));
  bench.server.then(400, error_body("ExpiredToken"));
  CHECK(failure_of(list(bench)).kind == ErrorKind::Transient);
  CHECK(bench.server.asked().size() == 4);
}

TEST_CASE("a refusal without words is met with fresh keys and the right time, once [N5, H4]") {
  for (const int status : {400, 403}) {
    S3Bench bench;
    bench.server.then(status);
    bench.server.then(200);
    CHECK(bench.s3.head("k", "", {}));
    REQUIRE(bench.server.asked().size() == 2);
    CHECK(bench.server.asked()[1].header("authorization").find("KEY2/") != std::string_view::npos);
    CHECK(bench.server.asked()[1].header("x-amz-date") !=
          bench.server.asked()[0].header("x-amz-date"));
    bench.server.then(status);
    bench.server.then(status);
    CHECK(failure_of(bench.s3.head("k", "", {})).status == status);
    CHECK(bench.server.asked().size() == 4);
  }
  S3Bench bench;
  bench.server.then(400).headers = {{"x-amz-bucket-region", "eu-west-1"}};
  bench.server.then(200);
  CHECK(bench.s3.head("k", "", {}));
  CHECK(is_signed_for(bench.server.asked().at(1), "eu-west-1"));
  CHECK(bench.server.asked().at(1).header("authorization").find("KEY1/") != std::string_view::npos);
}

TEST_CASE("an object that is not there is asked for once") {
  S3Bench bench;
  bench.server.then(404);
  CHECK(failure_of(bench.s3.head("k", "", {})).kind == ErrorKind::Vanished);
  CHECK(bench.server.asked().size() == 1);
}

TEST_CASE("a load balancer's 404 does not make an object vanish [N6]") {
  S3Bench bench;
  for (const char* page : {"", "<html><body>404 no healthy upstream</body></html>"}) {
    bench.server.then(404, page);
    const S3Failure read = failure_of(bench.s3.get("k", {}, {}));
    CHECK(read.kind == ErrorKind::Transient);
    CHECK(read.status == 404);
    CHECK(read.message.ends_with("404, and not in the words of S3"));
    bench.server.then(404, page);
    CHECK(failure_of(list(bench)).kind == ErrorKind::Transient);
    // Neither counts as done.
    bench.server.then(404, page);
    CHECK(failure_of(bench.s3.remove("k", "", {})).kind == ErrorKind::Transient);
    bench.server.then(404, page);
    CHECK(failure_of(bench.s3.abort("k", "u", {})).kind == ErrorKind::Transient);
    // HEAD has no words; it is asked once more with a GET.
    bench.server.then(404, page);
    CHECK(failure_of(bench.s3.head("k", "", {})).kind == ErrorKind::Vanished);
    bench.server.then(404, page);
    bench.server.then(404, page);
    CHECK(failure_of(bench.s3.look_for("k", "", {})).kind == ErrorKind::Transient);
  }
}

TEST_CASE("too fast is told with how long to wait, and not tried again here [N6]") {
  S3Bench bench;
  bench.server.then(503, error_body("SlowDown")).headers = {{"Retry-After", "9"}};
  const S3Failure failure = failure_of(list(bench));
  CHECK(failure.kind == ErrorKind::Rate);
  CHECK(failure.retry_after == 9s);
  CHECK(failure.code == "SlowDown");
  CHECK(failure.status == 503);
  CHECK(bench.server.asked().size() == 1);
}

TEST_CASE("a body is sent whole again where the request is repeated") {
  S3Bench bench;
  bench.server.then(307, "").headers = {{"x-amz-bucket-region", "eu-west-1"}};
  bench.server.then(200).headers = {{"ETag", "\"e1\""}};
  const auto stored = bench.s3.put("k", body_of("0123456789"), {}, {});
  REQUIRE(stored);
  CHECK(stored->etag == "e1");
  REQUIRE(bench.server.asked().size() == 2);
  CHECK(bench.server.asked()[1].body == "0123456789");
}

TEST_CASE("bytes that end too early are no object") {
  S3Bench bench;
  bench.server.then(200);
  UploadBody body = body_of("01234");
  body.length = 10;
  CHECK(failure_of(bench.s3.put("k", body, {}, {})).kind == ErrorKind::Changed);
  CHECK(bench.server.asked().empty());
}

TEST_CASE("a server that cannot be reached, and a stop, have their kinds") {
  S3Bench bench;
  S3Client away(*bench.http, bench.keys, bench.clock,
                {.endpoint = "http://127.0.0.1:1", .bucket = "bkt", .style = AddressStyle::Path});
  const auto failure = failure_of(away.head("k", "", {}));
  CHECK(failure.kind == ErrorKind::Unreachable);
  CHECK(failure.message.starts_with("HEAD bkt/k: "));
  std::stop_source stop;
  stop.request_stop();
  CHECK(failure_of(bench.s3.head("k", "", stop.get_token())).kind == ErrorKind::Stopped);
}
