#include "agent/deliver/object_upload.hpp"

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "agent/deliver/content_type.hpp"
#include "agent/s3/part_etag.hpp"
#include "platform/base/sha256.hpp"
#include "tests/s3/fake_s3.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

class MemoryFile final : public InputFile {
 public:
  explicit MemoryFile(std::string text) : text_(std::move(text)) {}
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    const std::string_view left = std::string_view(text_).substr(offset);
    const std::size_t count = std::min(left.size(), into.size());
    std::memcpy(into.data(), left.data(), count);
    return count;
  }
  Result<FileInfo> info() override { return FileInfo{}; }
  WriterPresence writer() override { return WriterPresence::Unknown; }

 private:
  const std::string text_;
};

struct Memory final : UploadMemory {
  std::optional<std::string> id;
  Result<std::optional<std::string>> recall() override { return id; }
  Result<void> remember(const std::string& upload_id) override {
    id = upload_id;
    return {};
  }
  Result<void> forget() override {
    id.reset();
    return {};
  }
};

std::string begun(const std::string& id) {
  return "<InitiateMultipartUploadResult><UploadId>" + id +
         "</UploadId></InitiateMultipartUploadResult>";
}

std::string etag_of(std::string_view bytes) {
  PartEtag etag;
  etag.update(std::as_bytes(std::span(bytes)));
  return etag.finish();
}

struct UploadBench : S3Bench {
  std::shared_ptr<S3Client> shared{&s3, [](S3Client*) {}};
  ObjectUpload upload{shared, "probe", 1'000, {}};
  MemoryFile file{"result"};
  Memory memory;
  S3Result<OutputIdentity> put() {
    return upload.put("a.webp", {file, 6, to_hex(sha256("result")), memory}, std::nullopt);
  }
  void then_etag(int status, const std::string& etag, std::string body = "") {
    server.then(status, std::move(body)).headers = {{"ETag", '"' + etag + '"'}};
  }
  void knows_conditions() {
    then_etag(200, "p");
    server.then(412, error_body("PreconditionFailed"));
    server.then(204);
  }
  std::string methods() const {
    std::string all;
    for (const ServerRequest& request : server.asked()) all += request.method + ' ';
    return all;
  }
};

}  // namespace

TEST_CASE("a store that keeps conditions is asked once whether it does, then puts in one request") {
  UploadBench bench;
  bench.then_etag(200, "p");
  bench.server.then(412, error_body("PreconditionFailed"));
  bench.server.then(204);
  for (const char* etag : {"e1", "e2"}) {
    bench.then_etag(200, etag);
    CHECK(bench.put().value().version == etag);
  }
  CHECK(bench.methods() == "PUT PUT DELETE PUT PUT ");
}

TEST_CASE("callers that come together let one of them probe, and believe what it finds") {
  UploadBench bench;
  bench.then_etag(200, "p");
  bench.server.then(412, error_body("PreconditionFailed"));
  bench.server.then(204);
  std::atomic<int> kept{0};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 8; ++i)
      callers.emplace_back(
          [&] { kept += bench.upload.keeps_conditions().value_or(false) ? 1 : 0; });
  }
  CHECK(kept == 8);
  CHECK(bench.methods() == "PUT PUT DELETE ");
}

TEST_CASE("a probe that failed is tried again by whoever comes later") {
  UploadBench bench;
  bench.server.then(403, error_body("AccessDenied"));
  CHECK(failure_of(bench.upload.keeps_conditions()).code == "AccessDenied");
  bench.then_etag(200, "p");
  bench.server.then(412, error_body("PreconditionFailed"));
  bench.server.then(204);
  CHECK(bench.upload.keeps_conditions().value());
}

TEST_CASE(
    "where a store knows no conditions, or does not keep them, it is looked before and after") {
  for (const bool says_so : {true, false}) {
    UploadBench bench;
    bench.then_etag(200, "p");
    if (says_so)
      bench.server.then(501, error_body("NotImplemented"));
    else
      bench.then_etag(200, "p");
    bench.server.then(204);
    bench.server.then(404);
    bench.then_etag(200, "e1");
    bench.then_etag(200, "e1", "result");
    CHECK(bench.put().value() == OutputIdentity{6, "e1"});
    CHECK(bench.methods() == "PUT PUT DELETE HEAD PUT HEAD ");
    // Another one is there: looked at, and read to see whether it is ours.
    bench.then_etag(200, "e2", "others");
    bench.then_etag(200, "e2", "others");
    bench.then_etag(200, "e2", "others");
    CHECK(failure_of(bench.put()).kind == ErrorKind::Exists);
    CHECK(bench.methods() == "PUT PUT DELETE HEAD PUT HEAD HEAD HEAD GET ");
  }
}

TEST_CASE("a put whose answer was lost is found to have happened [N1]") {
  UploadBench bench;
  bench.then_etag(200, "p");
  bench.server.then(412, error_body("PreconditionFailed"));
  bench.server.then(204);
  bench.server.then(500, error_body("InternalError"));
  bench.then_etag(200, "e1", "result");
  bench.then_etag(200, "e1", "result");
  CHECK(bench.put().value() == OutputIdentity{6, "e1"});
}

namespace {

constexpr std::size_t kPart = 16 << 20;

// A result of two parts, the second of which was refused; the first is at the store.
struct CutOff : UploadBench {
  std::string bytes = std::string(kPart, 'x') + "end";
  MemoryFile large{bytes};
  std::size_t before = 0;  // requests
  CutOff() {
    knows_conditions();
    server.then(404);
    server.then(200, begun("u1"));
    then_etag(200, etag_of(first()));
    server.then(503, error_body("SlowDown"));
    server.then(404);
    CHECK(failure_of(send()).kind == ErrorKind::Rate);
    CHECK(methods() == "PUT PUT DELETE HEAD POST PUT PUT HEAD ");
    CHECK(memory.id == "u1");
    before = server.asked().size();
  }
  std::string_view first() const { return std::string_view(bytes).substr(0, kPart); }
  S3Result<OutputIdentity> send() {
    return upload.put("a.webp", {large, bytes.size(), to_hex(sha256(bytes)), memory}, std::nullopt);
  }
  void has_first_part(const std::string& etag, std::size_t size) {
    server.then(200,
                "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1"
                "</PartNumber><ETag>&quot;" +
                    etag + "&quot;</ETag><Size>" + std::to_string(size) +
                    "</Size></Part></ListPartsResult>");
  }
  void takes_part_and_completes(const std::string& etag) {
    then_etag(200, etag);
    server.then(404);
    completes();
  }
  void completes() {
    server.then(200,
                "<CompleteMultipartUploadResult><ETag>&quot;whole-2&quot;</ETag>"
                "</CompleteMultipartUploadResult>");
    then_etag(200, "whole-2", bytes);
  }
  std::string since() const {
    std::string all;
    for (std::size_t i = before; i < server.asked().size(); ++i) {
      const ServerRequest& request = server.asked()[i];
      all += request.method + std::string(request.query_value("partNumber")) + ' ';
    }
    return all;
  }
};

}  // namespace

TEST_CASE("an upload in parts goes on with the parts that are there and hold our bytes [N8]") {
  CutOff bench;
  bench.server.then(404);
  bench.has_first_part(etag_of(bench.first()), kPart);
  bench.takes_part_and_completes("p2");
  CHECK(bench.send().value() == OutputIdentity{bench.bytes.size(), "whole-2"});
  CHECK(bench.since() == "HEAD GET PUT2 HEAD POST HEAD ");
  CHECK(bench.server.asked()[bench.before + 4].body.find(etag_of(bench.first())) !=
        std::string::npos);
  CHECK_FALSE(bench.memory.id);
}

TEST_CASE("a part of other bytes, or whose ETag tells nothing of them, is sent again [N8]") {
  for (const bool other_size : {true, false}) {
    CutOff bench;
    bench.server.then(404);
    bench.has_first_part(other_size ? etag_of(bench.first()) : "kms-1",
                         other_size ? kPart - 1 : kPart);
    bench.then_etag(200, "p1");
    bench.takes_part_and_completes("p2");
    CHECK(bench.send());
    CHECK(bench.since() == "HEAD GET PUT1 PUT2 HEAD POST HEAD ");
  }
}

TEST_CASE("an upload that the store has no more is begun anew [N8]") {
  CutOff bench;
  bench.server.then(404);
  bench.server.then(404, error_body("NoSuchUpload"));
  bench.server.then(200, begun("u2"));
  bench.then_etag(200, "p1");
  bench.takes_part_and_completes("p2");
  CHECK(bench.send());
  CHECK(bench.since() == "HEAD GET POST PUT1 PUT2 HEAD POST HEAD ");
  CHECK(bench.server.asked()[bench.before + 3].query_value("uploadId") == "u2");
}

TEST_CASE(
    "an upload that became the object is not aborted, since its parts may be the object [N8]") {
  CutOff bench;
  for (int looked = 0; looked < 3; ++looked) bench.then_etag(200, "whole-2", bench.bytes);
  CHECK(bench.send().value().version == "whole-2");
  CHECK(bench.since() == "HEAD HEAD GET ");
  CHECK_FALSE(bench.memory.id);
}

TEST_CASE("parts that nobody will complete are aborted, since they cost [N8]") {
  CutOff bench;
  // Somebody else's object is there by now: looked at, and read to see whether it is ours.
  bench.then_etag(200, "e2", "others");
  bench.then_etag(200, "e2", "others");
  bench.server.then(204);
  CHECK(failure_of(bench.send()).kind == ErrorKind::Exists);
  CHECK(bench.since() == "HEAD HEAD DELETE ");
  CHECK(bench.server.asked().back().query_value("uploadId") == "u1");
  CHECK_FALSE(bench.memory.id);
}

TEST_CASE("an object that was put while the parts were sent stays, and the parts go [N4] [N8]") {
  for (const bool in_that_moment : {false, true}) {
    CutOff bench;
    bench.server.then(404);
    bench.has_first_part(etag_of(bench.first()), kPart);
    bench.then_etag(200, "p2");
    if (in_that_moment) {
      bench.server.then(404);
      bench.server.then(412, error_body("PreconditionFailed"));
    } else {
      bench.then_etag(200, "e2", "others");
    }
    bench.then_etag(200, "e2", "others");  // is it ours?
    bench.server.then(204);
    CHECK(failure_of(bench.send()).kind == ErrorKind::Exists);
    CHECK(bench.since() == (in_that_moment ? "HEAD GET PUT2 HEAD POST HEAD DELETE "
                                           : "HEAD GET PUT2 HEAD HEAD DELETE "));
    CHECK(bench.server.asked().back().query_value("uploadId") == "u1");
    CHECK_FALSE(bench.memory.id);
  }
}

TEST_CASE("our own bytes in the way of a completion are the result [N1] [N8]") {
  CutOff bench;
  bench.server.then(404);
  bench.has_first_part(etag_of(bench.first()), kPart);
  bench.then_etag(200, "p2");
  for (int looked = 0; looked < 3; ++looked) bench.then_etag(200, "whole-2", bench.bytes);
  CHECK(bench.send().value().version == "whole-2");
  CHECK(bench.since() == "HEAD GET PUT2 HEAD HEAD GET ");
  CHECK_FALSE(bench.memory.id);
}

TEST_CASE("a completion whose condition the store does not know goes without it [N4]") {
  CutOff bench;
  bench.server.then(404);
  bench.has_first_part(etag_of(bench.first()), kPart);
  bench.then_etag(200, "p2");
  bench.server.then(404);
  bench.server.then(501, error_body("NotImplemented"));
  bench.completes();
  CHECK(bench.send().value().version == "whole-2");
  CHECK(bench.since() == "HEAD GET PUT2 HEAD POST POST HEAD ");
}

TEST_CASE("what is to be replaced is completed over it [N8]") {
  CutOff bench;
  bench.then_etag(200, "old", "older");
  bench.has_first_part(etag_of(bench.first()), kPart);
  bench.then_etag(200, "p2");
  bench.completes();
  const LocalResult result{bench.large, bench.bytes.size(), to_hex(sha256(bench.bytes)),
                           bench.memory};
  CHECK(bench.upload.put("a.webp", result, OutputIdentity{5, "old"}).value().version == "whole-2");
  CHECK(bench.since() == "HEAD GET PUT2 POST HEAD ");
  CHECK(bench.server.asked()[bench.before + 3].header("if-none-match").empty());
}

TEST_CASE("whose object is in the way is not said before it is known") {
  UploadBench bench;
  bench.knows_conditions();
  bench.server.then(412, error_body("PreconditionFailed"));
  bench.server.then(503);
  CHECK(failure_of(bench.put()).kind == ErrorKind::Rate);
  CHECK(bench.methods() == "PUT PUT DELETE PUT HEAD ");
}

TEST_CASE("a stop amid an upload is told as one, whatever failed before it") {
  struct Stopping final : UploadMemory {
    std::stop_source stop;
    Result<std::optional<std::string>> recall() override { return std::nullopt; }
    Result<void> remember(const std::string&) override {
      stop.request_stop();
      return fail(ErrorKind::Environment, "the disk is full");
    }
    Result<void> forget() override { return {}; }
  } memory;
  UploadBench bench;
  bench.knows_conditions();
  bench.server.then(404);
  bench.server.then(200, begun("u1"));
  bench.server.then(204);
  ObjectUpload upload{bench.shared, "probe", 1, memory.stop.get_token()};
  const auto sent =
      upload.put("a.webp", {bench.file, 6, to_hex(sha256("result")), memory}, std::nullopt);
  CHECK(failure_of(sent).kind == ErrorKind::Stopped);
}

TEST_CASE("the kind of content is told by the ending") {
  CHECK(content_type_of("out/a.webp") == "image/webp");
  CHECK(content_type_of("out/a.JPG") == "image/jpeg");
  CHECK(content_type_of("out/webp") == "");
  CHECK(content_type_of("out/a.xyz") == "");
}
