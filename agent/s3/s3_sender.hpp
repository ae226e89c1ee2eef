// One signed request, sent again where that helps: with fresh keys, with the server's time, or for
// the bucket's own region. An answer to HEAD has no words to tell which; a refusal is met with all.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "agent/s3/bucket_place.hpp"
#include "agent/s3/credentials.hpp"
#include "agent/s3/s3_error.hpp"
#include "agent/s3/server_clock.hpp"
#include "agent/s3/uri.hpp"
#include "agent/transfer/http_client.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {

// An error with what S3 itself said. `code` is empty where it said nothing.
struct S3Failure : Error {
  std::string code = {};  // "NotImplemented"
  int status = 0;         // 0: no answer came
};
template <typename T>
using S3Result = std::expected<T, S3Failure>;

// Bytes to send. They may be asked for more than once, each time from the first on.
struct UploadBody {
  using Read = std::function<Result<std::size_t>(std::span<std::byte>)>;  // 0 at the end
  std::uint64_t length = 0;
  // SHA-256 in hex of all of them: the server refuses other bytes. Empty: not signed, TLS only.
  std::string sha256 = {};
  std::function<Result<Read>()> open = {};
};
// All that is in memory; `bytes` must outlive the body.
UploadBody body_of(std::string_view bytes);

struct S3Request {
  std::string method = "GET";
  std::string key = {};  // empty: the bucket itself
  QueryFields query = {};
  Headers headers = {};
  const UploadBody* body = nullptr;
};

struct S3Answer {
  HttpHead head;
  std::unique_ptr<HttpExchange> exchange;  // the body is to be read from it
};

// Thread-safe; calls block on the network and end with Stopped soon after `stop` fires.
class S3Sender {
 public:
  S3Sender(HttpClient& http, CredentialsProvider& keys, const Clock& clock, BucketPlace place);

  // An answer of 200 to 299; any other is a failure, whose kind error_of_s3() chose.
  S3Result<S3Answer> send(const S3Request& request, std::stop_token stop) EXCLUDES(mutex_);
  // The same, with the whole answer, of at most 1 MiB. An error inside a success is a failure.
  S3Result<std::string> send_for_text(const S3Request& request, std::stop_token stop);
  // A link to GET the object with, for `life` from now on. A secret.
  S3Result<std::string> link(const S3Request& request, std::chrono::seconds life,
                             std::stop_token stop) EXCLUDES(mutex_);

  const BucketPlace& place() const { return place_; }
  // "GET bucket/key", safe for one line.
  std::string name_of(const S3Request& request) const;

 private:
  struct Attempt;
  std::string region() EXCLUDES(mutex_);
  S3Result<Attempt> prepare(const S3Request& request, const std::stop_token& stop);
  Result<S3Answer> exchange(const S3Request& request, const Attempt& attempt,
                            const std::stop_token& stop);
  S3Failure failure_of(const S3Request& request, S3Answer& answer, std::string& region);
  struct Tried {
    bool keys = false, time = false, region = false;
  };
  bool worth_another(const S3Request& request, const S3Failure& failed, const Attempt& attempt,
                     const std::string& region, Tried& tried) EXCLUDES(mutex_);

  HttpClient& http_;
  CredentialsProvider& keys_;
  const Clock& clock_;
  const BucketPlace place_;
  ServerClock server_clock_;

  Mutex mutex_;
  std::string region_ GUARDED_BY(mutex_);  // as set, or as a server told it
};

}  // namespace millrace
