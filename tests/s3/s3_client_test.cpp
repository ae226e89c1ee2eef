// What each call sends and makes of the answers.
#include <array>

#include "agent/s3/signer.hpp"
#include "tests/s3/fake_s3.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

std::string read_all(OpenObject& object, std::optional<Error>& error) {
  std::string text;
  std::array<std::byte, 7> buffer;
  for (;;) {
    const auto got = object.read(buffer);
    if (!got) error = got.error();
    if (!got || *got == 0) return text;
    text.append(reinterpret_cast<const char*>(buffer.data()), *got);
  }
}

constexpr std::string_view kCompleted =
    "<CompleteMultipartUploadResult><ETag>&quot;e-2&quot;</ETag></CompleteMultipartUploadResult>";
constexpr std::string_view kCopied = "<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>";

// Neither source nor target is looked at.
const CopyOptions kOver{.if_taken = IfTaken::Replace};

}  // namespace

TEST_CASE("an object is read with its facts, and only the one that was asked for [N3]") {
  S3Bench bench;
  auto& answer = bench.server.then(200, "hello, world");
  answer.headers = {{"ETag", "\"e1\""},
                    {"x-amz-version-id", "v7"},
                    {"Last-Modified", "Sun, 01 Mar 2026 12:00:00 GMT"}};
  answer.content_type = "image/png";
  auto object = bench.s3.get("a/b c", {.if_match = "e1", .version_id = "v7"}, {});
  REQUIRE(object);
  CHECK(object->info().size == 12);
  CHECK(object->info().etag == "e1");
  CHECK(object->info().version_id == "v7");
  CHECK(object->info().content_type == "image/png");
  CHECK(object->info().modified.has_value());
  std::optional<Error> error;
  CHECK(read_all(*object, error) == "hello, world");
  CHECK_FALSE(error);
  const ServerRequest& asked = bench.server.asked().at(0);
  CHECK(asked.path == "/bkt/a/b c");
  CHECK(asked.query_value("versionId") == "v7");
  CHECK(asked.header("if-match") == "\"e1\"");
  CHECK(asked.header("authorization").find("if-match;") != std::string_view::npos);
}

TEST_CASE(
    "another object than the one that was asked for is Changed, whatever the server knows [N3]") {
  S3Bench bench;
  bench.server.then(412, error_body("PreconditionFailed"));
  CHECK(failure_of(bench.s3.get("k", {.if_match = "e1"}, {})).kind == ErrorKind::Changed);
  bench.server.then(200, "other").headers = {{"ETag", "\"e2\""}};  // does not know If-Match
  CHECK(failure_of(bench.s3.get("k", {.if_match = "e1"}, {})).kind == ErrorKind::Changed);
  bench.server.then(404, error_body("NoSuchKey"));
  CHECK(failure_of(bench.s3.get("k", {.if_match = "e1"}, {})).kind == ErrorKind::Vanished);
}

TEST_CASE("a range is the one that was asked for or none [N7]") {
  S3Bench bench;
  const ReadOptions middle{.range = ByteRange{5, 3}};
  bench.server.then(206, "567").headers = {{"Content-Range", "bytes 5-7/100"}};
  auto object = bench.s3.get("k", middle, {});
  REQUIRE(object);
  CHECK(object->info().size == 100);
  CHECK(bench.server.asked().at(0).header("range") == "bytes=5-7");
  for (const char* says : {"", "bytes 5-7/100"}) {
    bench.server.then(200, "0123456789").headers = {{"Content-Range", says}};
    CHECK(failure_of(bench.s3.get("k", middle, {})).kind == ErrorKind::Transient);
  }
  bench.server.then(206, "678").headers = {{"Content-Range", "bytes 6-8/100"}};
  CHECK(failure_of(bench.s3.get("k", middle, {})).kind == ErrorKind::Transient);
  bench.server.then(206, "567");
  CHECK(failure_of(bench.s3.get("k", middle, {})).kind == ErrorKind::Transient);
}

TEST_CASE("an object is put with its conditions, type and checksum, or refused [N4]") {
  S3Bench bench;
  bench.server.then(200).headers = {{"ETag", "\"e1\""}, {"x-amz-version-id", "v1"}};
  const auto stored =
      bench.s3.put("out/a.webp", body_of("abc"), {.content_type = "image/webp"}, {});
  REQUIRE(stored);
  CHECK(stored->etag == "e1");
  CHECK(stored->version_id == "v1");
  const ServerRequest& asked = bench.server.asked().at(0);
  CHECK(asked.method == "PUT");
  CHECK(asked.body == "abc");
  CHECK(asked.header("if-none-match") == "*");
  CHECK(asked.header("content-type") == "image/webp");
  CHECK(asked.header("x-amz-checksum-sha256") == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  CHECK(asked.header("x-amz-content-sha256") ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(asked.header("x-amz-security-token") == kToken);

  bench.server.then(412, error_body("PreconditionFailed"));
  CHECK(failure_of(bench.s3.put("k", body_of("abc"), {}, {})).kind == ErrorKind::Exists);
  bench.server.then(501, error_body("NotImplemented"));
  CHECK(failure_of(bench.s3.put("k", body_of("abc"), {}, {})).code == "NotImplemented");
  bench.server.then(200);
  CHECK(bench.s3.put("k", body_of(""), {.if_taken = IfTaken::Replace}, {}));
  CHECK(bench.server.asked().at(3).header("if-none-match").empty());
}

TEST_CASE("bytes whose hash is not known go unsigned") {
  S3Bench bench;
  bench.server.then(200);
  UploadBody body = body_of("abc");
  body.sha256.clear();
  CHECK(bench.s3.put("k", body, {}, {}));
  CHECK(bench.server.asked().at(0).header("x-amz-content-sha256") == kUnsignedPayload);
  CHECK(bench.server.asked().at(0).header("x-amz-checksum-sha256").empty());
}

TEST_CASE("an error inside a success is an error [N1]") {
  S3Bench bench;
  const std::string inside = "\n   \n" + error_body("SlowDown");
  bench.server.then(404);  // the target
  bench.server.then(200, inside);
  CHECK(failure_of(bench.s3.complete("k", "id", {{1, "e"}}, IfTaken::Refuse, {})).kind ==
        ErrorKind::Rate);
  bench.server.then(200, error_body("SlowDown"));
  const auto slow = failure_of(bench.s3.copy("a", "b", kOver, {}));
  CHECK(slow.kind == ErrorKind::Rate);
  CHECK(slow.code == "SlowDown");
  for (const char* body : {"", "<html/>", "<CopyObjectResult>", "<CopyObjectResult/>"}) {
    bench.server.then(200, body);
    CHECK(failure_of(bench.s3.copy("a", "b", kOver, {})).kind == ErrorKind::Transient);
  }
}

TEST_CASE("a completion without an ETag is asked for it, one without a result is none [N1]") {
  S3Bench bench;
  bench.server.then(200, "<CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>");
  bench.server.then(200).headers = {{"ETag", "\"e-2\""}};
  const auto stored = bench.s3.complete("k", "id", {{1, "e"}}, IfTaken::Replace, {});
  REQUIRE(stored);
  CHECK(stored->etag == "e-2");
  for (const char* body :
       {"", "<CompleteMultipartUploadResult/>", "<CompleteMultipartUploadResult>"}) {
    bench.server.then(200, body);
    const auto none = bench.s3.complete("k", "id", {{1, "e"}}, IfTaken::Replace, {});
    CHECK(failure_of(none).kind == ErrorKind::Transient);
  }
}

TEST_CASE("parts are begun, put, completed and aborted [N1]") {
  S3Bench bench;
  bench.server.then(200,
                    "<InitiateMultipartUploadResult><UploadId>u/1+&amp;</UploadId>"
                    "</InitiateMultipartUploadResult>");
  const auto id = bench.s3.begin_parts("k", {.content_type = "image/tiff"}, {});
  REQUIRE(id);
  CHECK(*id == "u/1+&");
  bench.server.then(200).headers = {{"ETag", "\"p1\""}};
  const auto part = bench.s3.put_part("k", *id, 1, body_of("abc"), {});
  REQUIRE(part);
  CHECK(part->etag == "p1");
  CHECK(bench.server.asked().at(1).query_value("uploadId") == "u/1+&");
  CHECK(bench.server.asked().at(1).query_value("partNumber") == "1");
  bench.server.then(404);  // the target
  bench.server.then(200, "  \n<?xml version=\"1.0\"?>" + std::string(kCompleted));
  const auto stored = bench.s3.complete("k", *id, {*part, {2, "p<2"}}, IfTaken::Refuse, {});
  REQUIRE(stored);
  CHECK(stored->etag == "e-2");
  CHECK(
      bench.server.asked().at(3).body ==
      "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;p1&quot;</ETag></Part>"
      "<Part><PartNumber>2</PartNumber><ETag>&quot;p&lt;2&quot;</ETag></Part>"
      "</CompleteMultipartUpload>");
  CHECK(bench.server.asked().at(3).header("if-none-match") == "*");
  bench.server.then(204);
  CHECK(bench.s3.abort("k", *id, {}));
  bench.server.then(404, error_body("NoSuchUpload"));
  CHECK(bench.s3.abort("k", *id, {}));
  bench.server.then(404, error_body("NoSuchUpload"));
  CHECK(failure_of(bench.s3.complete("k", *id, {}, IfTaken::Replace, {})).kind ==
        ErrorKind::Vanished);
}

TEST_CASE("a completion takes no other object's place [N4]") {
  const auto complete = [](S3Bench& bench, IfTaken if_taken) {
    return bench.s3.complete("k", "id", {{1, "e"}}, if_taken, {});
  };
  {  // One was put while the parts were sent.
    S3Bench bench;
    bench.server.then(200).headers = {{"ETag", "\"theirs\""}};
    CHECK(failure_of(complete(bench, IfTaken::Refuse)).kind == ErrorKind::Exists);
    CHECK(bench.server.asked().size() == 1);
    bench.server.then(403);
    bench.server.then(403);
    CHECK(failure_of(complete(bench, IfTaken::Refuse)).kind == ErrorKind::Environment);
    bench.server.then(200, std::string(kCompleted));
    CHECK(complete(bench, IfTaken::Replace));
    CHECK(bench.server.asked().back().header("if-none-match").empty());
  }
  {  // In that very moment, where the server keeps conditions.
    S3Bench bench;
    bench.server.then(404);
    bench.server.then(412, error_body("PreconditionFailed"));
    CHECK(failure_of(complete(bench, IfTaken::Refuse)).kind == ErrorKind::Exists);
  }
  // A server that does not know the condition is asked without it.
  S3Bench bench;
  bench.server.then(404);
  bench.server.then(501, error_body("NotImplemented"));
  bench.server.then(200, std::string(kCompleted));
  CHECK(complete(bench, IfTaken::Refuse));
  REQUIRE(bench.server.asked().size() == 3);
  CHECK(bench.server.asked()[1].header("if-none-match") == "*");
  CHECK(bench.server.asked()[2].header("if-none-match").empty());
  CHECK(bench.server.asked()[2].body == bench.server.asked()[1].body);
}

TEST_CASE("the parts of an upload are listed page by page [N8]") {
  S3Bench bench;
  const auto page = [&](const char* truncated, const char* numbers) {
    std::string xml = std::string("<ListPartsResult><IsTruncated>") + truncated + "</IsTruncated>";
    for (const char* n = numbers; *n != 0; ++n)
      xml += std::string("<Part><PartNumber>") + *n + "</PartNumber><ETag>&quot;e" + *n +
             "&quot;</ETag><Size>5</Size></Part>";
    bench.server.then(200, xml + "</ListPartsResult>");
  };
  page("true", "13");
  page("false", "4");
  const auto parts = bench.s3.list_parts("k", "u/1", {});
  REQUIRE(parts);
  REQUIRE(parts->size() == 3);
  CHECK(parts->back().part.number == 4);
  CHECK(parts->back().part.etag == "e4");
  CHECK(parts->back().size == 5);
  CHECK(bench.server.asked().at(0).query_value("uploadId") == "u/1");
  CHECK(bench.server.asked().at(1).query_value("part-number-marker") == "3");
  page("true", "3");
  page("true", "3");  // does not go on
  CHECK(failure_of(bench.s3.list_parts("k", "u", {})).kind == ErrorKind::Transient);
  page("true", "x");
  CHECK(failure_of(bench.s3.list_parts("k", "u", {})).kind == ErrorKind::Transient);
  bench.server.then(200, "<ListPartsResult>");
  CHECK(failure_of(bench.s3.list_parts("k", "u", {})).kind == ErrorKind::Transient);
  bench.server.then(404, error_body("NoSuchUpload"));
  CHECK(failure_of(bench.s3.list_parts("k", "u", {})).kind == ErrorKind::Vanished);
}

TEST_CASE("a copy names its source, encoded, and the version that it must be") {
  S3Bench bench;
  const auto is = [&](const char* etag) { bench.server.then(200).headers = {{"ETag", etag}}; };
  is("\"e1\"");            // the source, before
  bench.server.then(404);  // the target
  bench.server.then(200, std::string(kCopied));
  is("\"e1\"");  // the source, after
  const CopyOptions meant{.if_match = "e1", .source_version_id = "v1"};
  const auto stored = bench.s3.copy("a b/ü+.png", "archive/a", meant, {});
  REQUIRE(stored);
  CHECK(stored->etag == "e");
  const ServerRequest& asked = bench.server.asked().at(2);
  CHECK(asked.header("x-amz-copy-source") == "/bkt/a%20b/%C3%BC%2B.png?versionId=v1");
  CHECK(asked.header("x-amz-copy-source-if-match") == "\"e1\"");
  CHECK(asked.header("if-none-match") == "*");
}

TEST_CASE("a copy of another object, or over one that is there, is none") {
  const CopyOptions meant{.if_match = "e1"};
  struct Row {
    std::vector<std::pair<int, const char*>> answers;  // status and ETag
    ErrorKind kind;
  };
  const Row rows[] = {
      {{{200, "e2"}}, ErrorKind::Changed},                            // before
      {{{404, ""}, {404, ""}}, ErrorKind::Vanished},                  // before
      {{{200, "e1"}, {200, "t"}}, ErrorKind::Exists},                 // the target is taken
      {{{200, "e1"}, {403, ""}, {403, ""}}, ErrorKind::Environment},  // the target cannot be seen
      {{{200, "e1"}, {404, ""}, {412, ""}, {200, "e1"}}, ErrorKind::Exists},
      {{{200, "e1"}, {404, ""}, {412, ""}, {200, "e2"}}, ErrorKind::Changed},
      {{{200, "e1"}, {404, ""}, {200, ""}, {200, "e2"}}, ErrorKind::Changed}};  // meanwhile
  for (const Row& row : rows) {
    S3Bench bench;
    for (const auto& [status, etag] : row.answers)
      bench.server
          .then(status, status == 404                    ? error_body("NoSuchKey")
                        : status == 200 && *etag == '\0' ? std::string(kCopied)
                                                         : "")
          .headers = {{"ETag", etag}};
    CHECK(failure_of(bench.s3.copy("a", "b", meant, {})).kind == row.kind);
    CHECK(bench.server.asked().size() == row.answers.size());
  }
}

TEST_CASE("an object that is missing is told from a bucket that is") {
  S3Bench bench;
  bench.server.then(404);
  bench.server.then(404, error_body("NoSuchKey"));
  CHECK(failure_of(bench.s3.look_for("k", "", {})).kind == ErrorKind::Vanished);
  bench.server.then(404);
  bench.server.then(404, error_body("NoSuchBucket"));
  CHECK(failure_of(bench.s3.look_for("k", "", {})).kind == ErrorKind::Environment);
  // Nothing is taken for removed because its bucket is away.
  bench.server.then(404);
  bench.server.then(404, error_body("NoSuchBucket"));
  CHECK(failure_of(bench.s3.remove("k", "e1", {})).kind == ErrorKind::Environment);
  bench.server.then(404);
  auto& back = bench.server.then(200, "bytes");
  back.headers = {{"ETag", "\"e1\""}};
  CHECK(bench.s3.look_for("k", "", {}).value().etag == "e1");
}

TEST_CASE("what is not there counts as removed, and what has changed stays") {
  S3Bench bench;
  const auto is = [&](const char* etag) { bench.server.then(200).headers = {{"ETag", etag}}; };
  is("e1");
  bench.server.then(204);
  CHECK(bench.s3.remove("k", "e1", {}));
  CHECK(bench.server.asked().at(1).method == "DELETE");
  CHECK(bench.server.asked().at(1).header("if-match") == "\"e1\"");
  is("e2");
  CHECK(failure_of(bench.s3.remove("k", "e1", {})).kind == ErrorKind::Changed);
  is("e1");
  bench.server.then(412, error_body("PreconditionFailed"));
  CHECK(failure_of(bench.s3.remove("k", "e1", {})).kind == ErrorKind::Changed);
  bench.server.then(404);
  bench.server.then(404, error_body("NoSuchKey"));
  CHECK(bench.s3.remove("k", "e1", {}));
  CHECK(bench.server.asked().size() == 7);  // none of which removed another object
  bench.server.then(404, error_body("NoSuchKey"));
  CHECK(bench.s3.remove("k", "", {}));
  bench.server.then(404, error_body("NoSuchBucket"));
  CHECK(failure_of(bench.s3.remove("k", "", {})).kind == ErrorKind::Environment);
}

TEST_CASE("a copy or removal whose condition the server does not know goes without it [N4]") {
  S3Bench bench;
  const auto is = [&](const char* etag) { bench.server.then(200).headers = {{"ETag", etag}}; };
  is("e1");
  bench.server.then(404);
  bench.server.then(501, error_body("NotImplemented"));
  bench.server.then(200, std::string(kCopied));
  is("e1");
  CHECK(bench.s3.copy("a", "b", {.if_match = "e1"}, {}));
  CHECK(bench.server.asked().at(2).header("if-none-match") == "*");
  CHECK(bench.server.asked().at(3).header("if-none-match").empty());
  CHECK(bench.server.asked().at(3).header("x-amz-copy-source-if-match") == "\"e1\"");
  is("e1");
  bench.server.then(501, error_body("NotImplemented"));
  bench.server.then(204);
  CHECK(bench.s3.remove("k", "e1", {}));
  CHECK(bench.server.asked().at(7).header("if-match").empty());
  // What is still not known then is said.
  is("e1");
  bench.server.then(501, error_body("NotImplemented"));
  bench.server.then(501, error_body("NotImplemented"));
  CHECK(failure_of(bench.s3.remove("k", "e1", {})).status == 501);
}

TEST_CASE("a page is asked for by prefix and place, and its keys are handed on [N2]") {
  S3Bench bench;
  bench.server.then(
      200,
      "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
      "<Contents><Key>in/a+b</Key><Size>3</Size></Contents>"
      "<NextContinuationToken>t1</NextContinuationToken></ListBucketResult>");
  std::vector<std::string> keys;
  const auto take = [&](ListedObject object) -> Result<void> {
    keys.push_back(object.key);
    return {};
  };
  const auto page =
      bench.s3.list({.prefix = "in/", .start_after = "in/a", .max_keys = 10}, take, {});
  REQUIRE(page);
  CHECK(keys == std::vector<std::string>{"in/a b"});
  CHECK(page->next_token == "t1");
  const ServerRequest& asked = bench.server.asked().at(0);
  CHECK(asked.query_value("list-type") == "2");
  CHECK(asked.query_value("encoding-type") == "url");
  CHECK(asked.query_value("prefix") == "in/");
  CHECK(asked.query_value("start-after") == "in/a");
  CHECK(asked.query_value("max-keys") == "10");
  bench.server.then(200, "<ListBucketResult><IsTruncated>false");
  const auto cut = failure_of(bench.s3.list({.token = "t1"}, take, {}));
  CHECK(cut.kind == ErrorKind::Transient);
  CHECK(bench.server.asked().at(1).query_value("continuation-token") == "t1");
  CHECK(bench.server.asked().at(1).query_value("start-after").empty());
}

TEST_CASE("a link carries its signature in the query, and asks nobody") {
  S3Bench bench;
  const auto link = bench.s3.read_link("a b", "v1", std::chrono::seconds{90}, {});
  REQUIRE(link);
  CHECK(link->starts_with(bench.server.url() + "/bkt/a%20b?X-Amz-Algorithm=AWS4-HMAC-SHA256&"));
  CHECK(link->find("X-Amz-Expires=90") != std::string::npos);
  CHECK(link->find("versionId=v1") != std::string::npos);
  CHECK(link->find("X-Amz-Security-Token=CANARYtoken") != std::string::npos);
  CHECK(link->find(kSecret) == std::string::npos);
  CHECK(bench.server.asked().empty());
}
