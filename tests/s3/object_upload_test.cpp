#include "agent/deliver/object_upload.hpp"

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

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

struct UploadBench : S3Bench {
  std::shared_ptr<S3Client> shared{&s3, [](S3Client*) {}};
  ObjectUpload upload{shared, "probe", 1'000, {}};
  MemoryFile file{"result"};
  S3Result<OutputIdentity> put() {
    return upload.put("a.webp", {file, 6, to_hex(sha256("result"))}, std::nullopt);
  }
  void then_etag(int status, const std::string& etag, std::string body = "") {
    server.then(status, std::move(body)).headers = {{"ETag", '"' + etag + '"'}};
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

TEST_CASE("an upload in parts that fails is aborted, since parts that are left cost [N8]") {
  UploadBench bench;
  ObjectUpload upload{bench.shared, "probe", 3, {}};
  bench.then_etag(200, "p");
  bench.server.then(412, error_body("PreconditionFailed"));
  bench.server.then(204);
  bench.server.then(404);
  bench.server.then(200,
                    "<InitiateMultipartUploadResult><UploadId>u1</UploadId>"
                    "</InitiateMultipartUploadResult>");
  bench.server.then(403, error_body("AccessDenied"));
  bench.server.then(204);
  bench.server.then(404);
  const auto failed = upload.put("a.webp", {bench.file, 6, to_hex(sha256("result"))}, std::nullopt);
  CHECK(failure_of(failed).code == "AccessDenied");
  CHECK(bench.methods() == "PUT PUT DELETE HEAD POST PUT DELETE HEAD ");
}

TEST_CASE("the kind of content is told by the ending") {
  CHECK(content_type_of("out/a.webp") == "image/webp");
  CHECK(content_type_of("out/a.JPG") == "image/jpeg");
  CHECK(content_type_of("out/webp") == "");
  CHECK(content_type_of("out/a.xyz") == "");
}
