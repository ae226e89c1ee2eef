// What becomes of results that wait for a store, where it answers as a script says.
#include "agent/deliver/bucket_outbox.hpp"

#include <filesystem>

#include "platform/base/sha256.hpp"
#include "tests/s3/fake_s3.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

struct OutboxBench : S3Bench {
  Scratch spool;
  BucketOutboxSettings settings{"s3://t@bkt/out/", "out/", "test", 1'000, {}};
  std::unique_ptr<Outbox> outbox;
  Name temporary;

  void open() {
    auto opened = open_bucket_outbox(settings, std::shared_ptr<S3Client>(&s3, [](S3Client*) {}),
                                     real_file_system(), spool.path());
    REQUIRE(opened);
    outbox = std::move(*opened);
  }
  // A result that was paid for and could not be sent.
  void keep_result() {
    const auto file = outbox->begin("a.webp", 7);
    REQUIRE(file);
    REQUIRE((*file)->write(std::as_bytes(std::span(std::string_view("result")))));
    REQUIRE((*file)->finish());
    (*file)->keep();
    temporary = (*file)->temporary_name();
    REQUIRE(spooled() == 1);
  }
  Result<std::optional<OutputIdentity>> adopt() {
    return outbox->adopt(temporary, "a.webp", to_hex(sha256("result")), 6, std::nullopt);
  }
  void knows_conditions() {
    server.then(200).headers = {{"ETag", "\"p\""}};
    server.then(412, error_body("PreconditionFailed"));
    server.then(204);
  }
  void begins_parts_and_refuses_them() {
    server.then(404);  // before it is sent
    server.then(200,
                "<InitiateMultipartUploadResult><UploadId>u1</UploadId>"
                "</InitiateMultipartUploadResult>");
    server.then(400, error_body("EntityTooLarge"));
    server.then(404);  // is it there all the same?
  }
  std::size_t spooled() {
    const std::filesystem::directory_iterator files(spool.path());
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }
  std::size_t aborts() {
    std::size_t count = 0;
    for (const ServerRequest& request : server.asked())
      count += request.method == "DELETE" && request.query_value("uploadId") == "u1" ? 1 : 0;
    return count;
  }
};

}  // namespace

TEST_CASE("a result that the store refuses for good leaves nothing behind [P6]") {
  OutboxBench bench;
  bench.open();
  bench.keep_result();
  bench.server.then(404);  // is it there already?
  bench.knows_conditions();
  bench.server.then(400, error_body("EntityTooLarge"));
  bench.server.then(404);
  const auto adopted = bench.adopt();
  REQUIRE_FALSE(adopted);
  CHECK(adopted.error().kind == ErrorKind::Input);
  CHECK(bench.spooled() == 0);
}

TEST_CASE("nor does one in parts, whose upload is aborted now or as an orphan later [P6] [N8]") {
  for (const bool store_is_busy : {false, true}) {
    OutboxBench bench;
    bench.settings.parts_above = 1;
    bench.open();
    bench.keep_result();
    bench.server.then(404);
    bench.knows_conditions();
    bench.begins_parts_and_refuses_them();
    if (store_is_busy) {
      bench.server.then(503);
      bench.server.then(503);
    } else {
      bench.server.then(204);
    }
    const auto adopted = bench.adopt();
    REQUIRE_FALSE(adopted);
    CHECK(adopted.error().kind == ErrorKind::Input);
    CHECK(bench.aborts() == (store_is_busy ? 2 : 1));
    CHECK(bench.spooled() == (store_is_busy ? 1 : 0));  // the note
    bench.server.then(204);
    CHECK(bench.outbox->remove_leftovers("")->left == 0);
    CHECK(bench.spooled() == 0);
    CHECK(bench.aborts() == (store_is_busy ? 3 : 1));
  }
}

TEST_CASE("a result that cannot be sent for now, or at a stop, stays and can be sent later") {
  OutboxBench bench;
  std::stop_source stop;
  bench.settings.stop = stop.get_token();
  bench.open();
  bench.keep_result();
  bench.server.then(404);
  bench.knows_conditions();
  bench.server.then(503, error_body("SlowDown"));
  bench.server.then(404);
  CHECK(bench.adopt().error().kind == ErrorKind::Environment);
  CHECK(bench.spooled() == 1);
  stop.request_stop();
  CHECK(bench.adopt().error().kind == ErrorKind::Stopped);
  CHECK(bench.spooled() == 1);
}
