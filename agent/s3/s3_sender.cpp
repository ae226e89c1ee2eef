#include "agent/s3/s3_sender.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "agent/s3/signer.hpp"
#include "agent/s3/small_exchange.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::size_t kMostError = 64 * 1024;
constexpr std::size_t kMostText = 1024 * 1024;

S3Failure failure(Error error) { return S3Failure{std::move(error), {}, 0}; }

bool is_success(int status) { return status >= 200 && status <= 299; }

// Everything that `body` has, or as much as the server wants.
Result<void> send_body(HttpExchange& exchange, const UploadBody& body) {
  auto read = body.open();
  if (!read) return std::unexpected(read.error());
  std::array<std::byte, 64 * 1024> buffer;
  for (std::uint64_t left = body.length; left > 0;) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    const auto got = (*read)(std::span(buffer).first(most));
    if (!got) return std::unexpected(got.error());
    if (*got == 0)
      return fail(ErrorKind::Changed,
                  "the bytes to upload end " + std::to_string(left) + " bytes before their length");
    const auto sent = exchange.send(std::span(buffer).first(*got));
    if (!sent) return std::unexpected(sent.error());
    if (*sent == Keep::Enough) return {};
    left -= *got;
  }
  return {};
}

}  // namespace

UploadBody body_of(std::string_view bytes) {
  UploadBody body{bytes.size(), to_hex(sha256(bytes)), {}};
  body.open = [bytes]() -> Result<UploadBody::Read> {
    return [left = bytes](std::span<std::byte> into) mutable -> Result<std::size_t> {
      const auto n = std::min(left.size(), into.size());
      std::memcpy(into.data(), left.data(), n);
      left.remove_prefix(n);
      return n;
    };
  };
  return body;
}

// What one try is made with.
struct S3Sender::Attempt {
  Credentials keys;
  ObjectAddress address;
  SigningScope scope;
  std::chrono::seconds clock_offset{0};  // scope.time was made with it
};

S3Sender::S3Sender(HttpClient& http, CredentialsProvider& keys, const Clock& clock,
                   BucketPlace place)
    : http_(http), keys_(keys), clock_(clock), place_(std::move(place)), region_(place_.region) {}

std::string S3Sender::name_of(const S3Request& request) const {
  std::string name = request.method + ' ' + printable(place_.bucket, 100);
  if (!request.key.empty()) name += '/' + printable(request.key, 300);
  return name;
}

std::string S3Sender::region() {
  const MutexLock lock(mutex_);
  return region_;
}

S3Result<S3Sender::Attempt> S3Sender::prepare(const S3Request& request,
                                              const std::stop_token& stop) {
  Attempt attempt;
  attempt.clock_offset = server_clock_.offset();
  attempt.scope.time = clock_.wall_now() + attempt.clock_offset;
  attempt.scope.region = region();
  auto address = address_of(place_, attempt.scope.region, request.key);
  if (!address) return std::unexpected(failure(address.error()));
  attempt.address = std::move(*address);
  auto keys = keys_.get(attempt.scope.time, stop);
  if (!keys) return std::unexpected(failure(keys.error()));
  attempt.keys = std::move(*keys);
  return attempt;
}

Result<S3Answer> S3Sender::exchange(const S3Request& request, const Attempt& attempt,
                                    const std::stop_token& stop) {
  RequestToSign to_sign{request.method, attempt.address.path, request.query, request.headers, {}};
  to_sign.headers.emplace_back("host", attempt.address.host);
  to_sign.payload_hash = kEmptySha256;
  if (request.body != nullptr)
    to_sign.payload_hash =
        request.body->sha256.empty() ? std::string(kUnsignedPayload) : request.body->sha256;
  const SignedHeaders signed_form = sign_headers(to_sign, attempt.keys, attempt.scope);

  HttpRequest http;
  http.method = request.method;
  http.url = attempt.address.origin + attempt.address.path;
  if (!request.query.empty()) http.url += '?' + canonical_query(request.query);
  http.ca_file = place_.ca_file;
  http.headers = request.headers;
  std::ranges::copy(signed_form.added, std::back_inserter(http.headers));
  http.body_length = request.body != nullptr ? request.body->length : 0;
  http.max_answer = std::uint64_t{5} << 40;  // the largest object that S3 knows
  auto started = http_.start(std::move(http), stop);
  if (!started) return std::unexpected(started.error());
  if (request.body != nullptr) {
    if (auto sent = send_body(**started, *request.body); !sent)
      return std::unexpected(sent.error());
  }
  auto head = (*started)->head();
  if (!head) return std::unexpected(head.error());
  return S3Answer{std::move(*head), std::move(*started)};
}

S3Failure S3Sender::failure_of(const S3Request& request, S3Answer& answer, std::string& region) {
  std::optional<S3Error> own;
  if (const auto body = read_whole(*answer.exchange, kMostError)) own = parse_s3_error(*body);
  const auto named = answer.head.header("x-amz-bucket-region");
  if (named) region = *named;
  if (own && region.empty()) region = own->region;
  const Words words = request.method == "HEAD" ? Words::NeverThere : Words::Usual;
  S3Failure out =
      failure(error_of_s3(name_of(request), answer.head, own, words, clock_.wall_now()));
  out.status = answer.head.status;
  if (own) out.code = own->code;
  return out;
}

// Each reason counts once for a request, so that it ends.
bool S3Sender::worth_another(const S3Request& request, const S3Failure& failed,
                             const Attempt& attempt, const std::string& region, Tried& tried) {
  const S3Error error{failed.code, {}, {}, {}};
  const bool wordless = request.method == "HEAD" && failed.code.empty() &&
                        (failed.status == 400 || failed.status == 403);
  const bool elsewhere = is_region(region) && region != attempt.scope.region;
  if (elsewhere && (means_other_region(failed.status, error) || wordless)) {
    const MutexLock lock(mutex_);
    region_ = region;
    return !std::exchange(tried.region, true);
  }
  if (means_wrong_time(error))
    return server_clock_.differs_from(attempt.clock_offset) && !std::exchange(tried.time, true);
  if (!means_expired_keys(error) && !wordless) return false;
  keys_.forget(attempt.keys, attempt.scope.time);
  return !std::exchange(tried.keys, true);
}

S3Result<S3Answer> S3Sender::send(const S3Request& request, std::stop_token stop) {
  for (Tried tried;;) {
    const auto attempt = prepare(request, stop);
    if (!attempt) return std::unexpected(attempt.error());
    auto answer = exchange(request, *attempt, stop);
    if (!answer)
      return std::unexpected(failure(with_context(answer.error(), name_of(request)).error()));
    if (const auto date = answer->head.header("date"))
      server_clock_.learn(*date, clock_.wall_now());
    if (is_success(answer->head.status)) return std::move(*answer);
    std::string region;
    S3Failure failed = failure_of(request, *answer, region);
    if (!worth_another(request, failed, *attempt, region, tried))
      return std::unexpected(std::move(failed));
  }
}

S3Result<std::string> S3Sender::send_for_text(const S3Request& request, std::stop_token stop) {
  auto answer = send(request, std::move(stop));
  if (!answer) return std::unexpected(answer.error());
  auto text = read_whole(*answer->exchange, kMostText);
  if (!text) return std::unexpected(failure(with_context(text.error(), name_of(request)).error()));
  // A copy or a completion that takes long begins its answer before it knows how it ends, and fills
  // the wait with spaces.
  text->erase(0, text->find_first_not_of(" \t\r\n"));
  if (const auto own = parse_s3_error(*text)) {
    S3Failure failed =
        failure(error_of_s3(name_of(request), answer->head, own, Words::Usual, clock_.wall_now()));
    failed.status = answer->head.status;
    failed.code = own->code;
    return std::unexpected(std::move(failed));
  }
  return std::move(*text);
}

S3Result<std::string> S3Sender::link(const S3Request& request, std::chrono::seconds life,
                                     std::stop_token stop) {
  const auto attempt = prepare(request, stop);
  if (!attempt) return std::unexpected(attempt.error());
  const RequestToSign to_sign{request.method,
                              attempt->address.path,
                              request.query,
                              {{"host", attempt->address.host}},
                              std::string(kUnsignedPayload)};
  const SignedQuery signed_form = sign_query(to_sign, attempt->keys, attempt->scope, life);
  return attempt->address.origin + attempt->address.path + '?' + signed_form.query;
}

}  // namespace millrace
