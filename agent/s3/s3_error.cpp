#include "agent/s3/s3_error.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "agent/s3/xml_reader.hpp"
#include "agent/transfer/answer_times.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

using enum ErrorKind;

struct CodeRow {
  std::string_view code;
  ErrorKind kind;
};
constexpr auto kCodes = std::to_array<CodeRow>({
    {"SlowDown", Rate},
    {"ServiceUnavailable", Rate},
    {"TooManyRequests", Rate},
    {"Throttling", Rate},
    {"ThrottlingException", Rate},
    {"RequestLimitExceeded", Rate},
    {"BandwidthLimitExceeded", Rate},

    {"InternalError", Transient},
    {"RequestTimeout", Transient},
    {"OperationAborted", Transient},
    {"ConditionalRequestConflict", Transient},
    {"ExpiredToken", Transient},
    {"TokenRefreshRequired", Transient},
    // The bytes changed on their way.
    {"BadDigest", Transient},
    {"IncompleteBody", Transient},
    {"XAmzContentSHA256Mismatch", Transient},

    {"InvalidAccessKeyId", Configuration},
    {"SignatureDoesNotMatch", Configuration},
    {"InvalidToken", Configuration},
    {"InvalidSecurity", Configuration},
    {"RequestTimeTooSkewed", Configuration},
    {"AuthorizationHeaderMalformed", Configuration},
    {"AuthorizationQueryParametersError", Configuration},
    {"PermanentRedirect", Configuration},
    {"TemporaryRedirect", Configuration},
    {"IllegalLocationConstraintException", Configuration},
    {"InvalidBucketName", Configuration},
    {"MethodNotAllowed", Configuration},
    {"NotImplemented", Configuration},

    // The folder, so to speak, is not there or not ours.
    {"NoSuchBucket", Environment},
    {"AccessDenied", Environment},
    {"AllAccessDisabled", Environment},
    {"AccountProblem", Environment},
    {"NotSignedUp", Environment},
    {"QuotaExceeded", Environment},
    {"InsufficientStorage", Environment},
    {"XMinioStorageFull", Environment},

    {"NoSuchKey", Vanished},
    {"NoSuchVersion", Vanished},
    {"NoSuchUpload", Vanished},
    {"PreconditionFailed", Exists},

    {"KeyTooLongError", Input},
    {"EntityTooLarge", Input},
    {"InvalidObjectState", Input},  // archived, and not restored
});

struct StatusRow {
  int from, to;
  ErrorKind kind;
};
// The first row that fits; for answers without a code of the table. Without any code (an answer to
// HEAD, a proxy's page) nothing is said against the request itself, and that nothing is there is
// believed only where there are never words.
constexpr auto kStatuses = std::to_array<StatusRow>({
    {200, 299, Transient},  // an error inside a success
    {300, 399, Configuration},
    {401, 401, Configuration},
    {403, 403, Environment},
    {404, 404, Vanished},
    {405, 405, Configuration},
    {408, 409, Transient},
    {412, 412, Exists},
    {429, 429, Rate},
    {400, 499, Input},
    {501, 501, Configuration},
    {503, 503, Rate},
    {507, 507, Environment},
    {500, 599, Transient},
});

ErrorKind kind_of(int status, const std::optional<S3Error>& own, Words words) {
  if (own) {
    const auto row = std::ranges::find(kCodes, std::string_view(own->code), &CodeRow::code);
    if (row != kCodes.end()) return row->kind;
  }
  const auto row = std::ranges::find_if(kStatuses, [&](const StatusRow& candidate) {
    return candidate.from <= status && status <= candidate.to;
  });
  if (row == kStatuses.end()) return Transient;
  const bool needs_words = row->kind == Input || (row->kind == Vanished && words == Words::Usual);
  return needs_words && !own ? Transient : row->kind;
}

class ErrorHandler final : public XmlHandler {
 public:
  Result<void> element_begins(std::string_view, const XmlAttributes&) override { return {}; }
  Result<void> element_ends(std::string_view path, std::string_view text) override {
    if (path == "Error/Code") error.code = printable(text, 100);
    if (path == "Error/Message") error.message = printable(text, 300);
    if (path == "Error/Region") error.region = printable(text, 100);
    if (path == "Error/RequestId") error.request_id = printable(text, 100);
    return {};
  }
  S3Error error;
};

}  // namespace

std::optional<S3Error> parse_s3_error(std::string_view body) {
  ErrorHandler handler;
  XmlReader reader(handler);
  if (!reader.add(std::as_bytes(std::span(body))) || !reader.finish()) return std::nullopt;
  if (handler.error.code.empty()) return std::nullopt;
  return std::move(handler.error);
}

Error error_of_s3(std::string_view what, const HttpHead& head, const std::optional<S3Error>& own,
                  Words words, WallTime now) {
  Error error;
  error.kind = kind_of(head.status, own, words);
  error.message = std::string(what) + ": the server answered " + std::to_string(head.status);
  if (own) {
    error.message += ' ' + own->code;
    if (!own->message.empty()) error.message += ": " + own->message;
  } else if (head.status == 404 && words == Words::Usual) {
    error.message += ", and not in the words of S3";
  }
  if (const auto wait = parse_retry_after(head, now))
    error.retry_after = std::chrono::duration_cast<std::chrono::milliseconds>(*wait);
  return error;
}

bool means_expired_keys(const S3Error& error) {
  static constexpr std::array<std::string_view, 4> kExpired{"ExpiredToken", "TokenRefreshRequired",
                                                            "InvalidToken", "InvalidAccessKeyId"};
  return std::ranges::find(kExpired, std::string_view(error.code)) != kExpired.end();
}

bool means_wrong_time(const S3Error& error) { return error.code == "RequestTimeTooSkewed"; }

bool means_other_region(int status, const std::optional<S3Error>& error) {
  if (status == 301 || status == 307 || status == 308) return true;
  return status == 400 && error &&
         (error->code == "AuthorizationHeaderMalformed" ||
          error->code == "IllegalLocationConstraintException");
}

}  // namespace millrace
