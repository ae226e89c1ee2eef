// A server that answers as S3 has been seen to answer, one scripted answer a request.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/s3/s3_client.hpp"
#include "platform/http/server.hpp"
#include "tests/support/scratch.hpp"
#include "tests/transfer/client.hpp"

namespace millrace::test {

inline constexpr std::string_view kSecret = "CANARYsecret";
inline constexpr std::string_view kToken = "CANARYtoken";

// Gives KEY1, and after a refusal KEY2 and so on.
class FakeKeys final : public CredentialsProvider {
 public:
  Result<Credentials> get(WallTime, std::stop_token) override {
    const int mine = ++asked_;
    const int all = meeting_ == 0 ? 0 : ((mine - 1) / meeting_ + 1) * meeting_;
    eventually([&] { return asked_ >= all; });
    return Credentials{
        "KEY" + std::to_string(number_), std::string(kSecret), std::string(kToken), {}};
  }
  void forget(const Credentials&, WallTime) override { ++number_; }
  // From now on `count` callers at a time come back from get() together.
  void meet(int count) { meeting_ = count; }

 private:
  std::atomic<int> number_ = 1, asked_ = 0, meeting_ = 0;
};

class FakeS3 {
 public:
  FakeS3();
  std::string url() const { return server_->address(); }

  ServerResponse& then(int status, std::string body = "");            // the next answer in line
  const std::vector<ServerRequest>& asked() const { return asked_; }  // when all is quiet

 private:
  ServerResponse answer(const ServerRequest& request);

  std::mutex mutex_;
  std::deque<ServerResponse> answers_;
  std::vector<ServerRequest> asked_;
  std::unique_ptr<HttpServer> server_;
};

// Server, client and clock of one test. The bucket is `bkt`, addressed by path.
struct S3Bench {
  FakeS3 server;
  ManualClock clock;
  FakeKeys keys;
  std::unique_ptr<HttpClient> http = client();
  S3Client s3{
      *http, keys, clock, {.endpoint = server.url(), .bucket = "bkt", .style = AddressStyle::Path}};
};

std::string error_body(std::string_view code, std::string_view more = "");

// The error of a call that must fail; it holds no secret.
template <typename T>
S3Failure failure_of(const S3Result<T>& result) {
  REQUIRE_FALSE(result);
  INFO(result.error().message);
  CHECK(result.error().message.find("CANARY") == std::string::npos);
  return result.error();
}

}  // namespace millrace::test
