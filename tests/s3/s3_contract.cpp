// What the client promises, against a real server: client_contract_test.py starts one and says
// where it is. Each case has a bucket of its own.
#include <array>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include "agent/s3/s3_client.hpp"
#include "platform/base/sha256.hpp"
#include "tests/s3/real_bucket.hpp"
#include "tests/support/scratch.hpp"
#include "tests/transfer/client.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

template <typename T>
ErrorKind kind_of(const S3Result<T>& result) {
  REQUIRE_FALSE(result);
  INFO(result.error().message);
  CHECK(result.error().message.find(variable("S3_SECRET")) == std::string::npos);
  return result.error().kind;
}

}  // namespace

TEST_CASE("what is put is there, byte for byte, under every key") {
  Bench bench;
  std::map<std::string, std::string> there;
  for (const std::string& key : odd_keys()) {
    INFO(key);
    const std::string bytes = "bytes of " + key;
    const Stored stored = bench.put(key, bytes);
    CHECK_FALSE(stored.etag.empty());
    CHECK(bench.read(key, {.if_match = stored.etag}) == bytes);
    const auto info = bench.s3->head(key, "", {});
    REQUIRE(info);
    CHECK(info->size == bytes.size());
    CHECK(info->etag == stored.etag);
    CHECK(info->modified.has_value());
    there[key] = stored.etag;
  }
  // The listing has each of them, in order, with its ETag; in pages of five.
  std::map<std::string, std::string> listed;
  std::string last;
  ListOptions options{.max_keys = 5};
  for (bool more = true; more;) {
    const auto page = bench.s3->list(options,
                                     [&](ListedObject object) -> Result<void> {
                                       CHECK(object.key > last);
                                       last = object.key;
                                       listed[object.key] = object.etag;
                                       return {};
                                     },
                                     {});
    REQUIRE(page);
    CHECK(page->count <= 5);
    more = page->truncated;
    options.token = page->next_token;
  }
  CHECK(listed == there);
  for (const auto& [key, etag] : there) CHECK(bench.s3->remove(key, "", {}));
  CHECK(bench.s3->list(
      {}, [](ListedObject) -> Result<void> { return fail(ErrorKind::Defect, "left"); }, {}));
}

TEST_CASE("ranges, and the conditions of reading") {
  Bench bench;
  const Stored stored = bench.put("k", "0123456789");
  CHECK(bench.read("k", {.range = ByteRange{2, 3}}) == "234");
  CHECK(bench.read("k", {.range = ByteRange{8, 100}}) == "89");
  CHECK(kind_of(bench.s3->get("k", {.range = ByteRange{10, 1}}, {})) == ErrorKind::Input);
  bench.put("k", "another");
  CHECK(kind_of(bench.s3->get("k", {.if_match = stored.etag}, {})) == ErrorKind::Changed);
  CHECK(kind_of(bench.s3->get("none", {}, {})) == ErrorKind::Vanished);
  CHECK(kind_of(bench.s3->head("none", "", {})) == ErrorKind::Vanished);
}

TEST_CASE("an object that is there is not replaced, and one of sixteen writers wins [N4]") {
  Bench bench;
  bench.put("k", "first");
  if (!keeps_conditions()) {
    const auto refused = bench.s3->put("k", body_of("second"), {}, {});
    CHECK(kind_of(refused) == ErrorKind::Configuration);
    CHECK(refused.error().status == 501);
    CHECK(bench.read("k") == "first");
    return;
  }
  CHECK(kind_of(bench.s3->put("k", body_of("second"), {}, {})) == ErrorKind::Exists);
  CHECK(bench.read("k") == "first");
  std::atomic<int> won = 0, taken = 0;
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < 16; ++i)
      writers.emplace_back([&] {
        const auto stored = bench.s3->put("race", body_of("x"), {}, {});
        won += stored ? 1 : 0;
        taken += !stored && stored.error().kind == ErrorKind::Exists ? 1 : 0;
      });
  }
  CHECK(won == 1);
  CHECK(taken == 15);
}

TEST_CASE("bytes that are not the ones that were signed are refused") {
  Bench bench;
  UploadBody body = body_of("hello");
  body.sha256 = to_hex(sha256(std::string_view("other")));
  const auto stored = bench.s3->put("k", body, {.if_taken = IfTaken::Replace}, {});
  CHECK(kind_of(stored) == ErrorKind::Transient);
  CHECK(stored.error().code == (keeps_conditions() ? "XAmzContentSHA256Mismatch" : "BadDigest"));
  CHECK(kind_of(bench.s3->head("k", "", {})) == ErrorKind::Vanished);
  body.sha256.clear();  // not signed
  CHECK(bench.s3->put("k", body, {.if_taken = IfTaken::Replace, .content_type = "image/png"}, {}));
  CHECK(bench.s3->head("k", "", {}).value().content_type == "image/png");
}

TEST_CASE("parts become one object, and what is aborted is gone") {
  Bench bench;
  const std::string first(5 << 20, 'a'), second(1000, 'b');
  const auto id = bench.s3->begin_parts("big", {.content_type = "image/tiff"}, {});
  REQUIRE(id);
  const auto two = bench.s3->put_part("big", *id, 2, body_of(second), {});
  const auto one = bench.s3->put_part("big", *id, 1, body_of(first), {});
  REQUIRE(one);
  REQUIRE(two);
  CHECK(kind_of(bench.s3->head("big", "", {})) == ErrorKind::Vanished);
  const auto stored = bench.s3->complete("big", *id, {*one, *two}, IfTaken::Replace, {});
  REQUIRE(stored);
  CHECK(stored->etag.ends_with("-2"));
  CHECK(bench.read("big") == first + second);

  const auto dropped = bench.s3->begin_parts("dropped", {}, {});
  REQUIRE(dropped);
  CHECK(bench.s3->put_part("dropped", *dropped, 1, body_of("x"), {}));
  CHECK(bench.s3->abort("dropped", *dropped, {}));
  CHECK(bench.s3->abort("dropped", *dropped, {}));
  CHECK(kind_of(bench.s3->put_part("dropped", *dropped, 2, body_of("x"), {})) ==
        ErrorKind::Vanished);
}

TEST_CASE("a wrong list of parts completes nothing, and the right one does afterwards") {
  Bench bench;
  const auto id = bench.s3->begin_parts("k", {}, {});
  REQUIRE(id);
  const auto part = bench.s3->put_part("k", *id, 1, body_of("x"), {});
  REQUIRE(part);
  const Part wrong{1, "00000000000000000000000000000000"};
  CHECK(bench.s3->complete("k", *id, {wrong}, IfTaken::Replace, {}).error().code == "InvalidPart");
  CHECK(bench.s3->complete("k", *id, {*part}, IfTaken::Replace, {}));
  CHECK(bench.read("k") == "x");
}

TEST_CASE("a copy is the object itself, if it still is the one that was meant") {
  Bench bench;
  const Stored stored = bench.put("a b/ü+.txt", "bytes");
  const CopyOptions meant{.if_match = stored.etag, .if_taken = IfTaken::Replace};
  REQUIRE(bench.s3->copy("a b/ü+.txt", "archive/ü", meant, {}));
  CHECK(bench.read("archive/ü") == "bytes");
  bench.put("a b/ü+.txt", "another");
  CHECK(kind_of(bench.s3->copy("a b/ü+.txt", "archive/ü", meant, {})) == ErrorKind::Changed);
  CHECK(bench.read("archive/ü") == "bytes");
  CHECK(kind_of(bench.s3->copy("a b/ü+.txt", "archive/ü", {}, {})) == ErrorKind::Exists);
  CHECK(kind_of(bench.s3->remove("a b/ü+.txt", stored.etag, {})) == ErrorKind::Changed);
  CHECK(bench.read("a b/ü+.txt") == "another");
}

TEST_CASE("wrong keys, a wrong bucket and a wrong clock have the right outcome [H4]") {
  Bench bench;
  bench.put("k", "bytes");
  bench.clock.offset = -std::chrono::minutes{20};
  CHECK(bench.other(bench.place).get("k", {}, {}));
  bench.clock.offset = std::chrono::minutes{20};
  CHECK(bench.other(bench.place).get("k", {}, {}));
  bench.clock.offset = {};
  BucketPlace elsewhere = bench.place;
  elsewhere.bucket += "-none";
  CHECK(kind_of(bench.other(elsewhere).get("k", {}, {})) == ErrorKind::Environment);
  bench.keys.keys.secret_access_key = "wrong";
  CHECK(bench.s3->get("k", {}, {}).error().code == "SignatureDoesNotMatch");
  CHECK(kind_of(bench.s3->get("k", {}, {})) == ErrorKind::Configuration);
  bench.keys.keys.access_key_id = "NOBODY";
  CHECK(kind_of(bench.s3->get("k", {}, {})) == ErrorKind::Configuration);
}

namespace {

int status_of(Bench& bench, const std::string& link) {
  HttpRequest request;
  request.method = "GET";
  request.url = link;
  request.ca_file = bench.place.ca_file;
  return run(*bench.http, request).status();
}

}  // namespace

TEST_CASE("a link reads the object, as long as it lives and as it was signed [N5]") {
  Bench bench;
  for (const std::string& key : odd_keys()) {
    INFO(key);
    bench.put(key, "bytes");
    const auto link = bench.s3->read_link(key, "", std::chrono::seconds{60}, {});
    REQUIRE(link);
    CHECK(status_of(bench, *link) == 200);
    std::string forged = *link;
    forged.back() = forged.back() == '0' ? '1' : '0';
    CHECK(status_of(bench, forged) == 403);
  }
  bench.clock.offset = -std::chrono::minutes{2};
  const auto old = bench.s3->read_link("plain.png", "", std::chrono::seconds{60}, {});
  REQUIRE(old);
  CHECK(status_of(bench, *old) == 403);
}
