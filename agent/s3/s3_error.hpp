// What an answer of S3 that is no success means: one table.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/transfer/http_client.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// <Error><Code>...; all made safe for one line and bounded.
struct S3Error {
  std::string code;     // "NoSuchKey"
  std::string message;  // the server's words
  std::string region;   // of the bucket, where the error tells it
  std::string request_id;
};

// Nothing if the body is not such a document (an answer to HEAD, a proxy's page).
std::optional<S3Error> parse_s3_error(std::string_view body);

enum class Words { Usual, NeverThere };  // NeverThere: an answer to HEAD has no body

// The answer's error, for an answer of 300 and above, or of 200 with an error inside. `what` begins
// the message: "GET bucket/key". Kinds by code, then by status; 412 is Exists, which a caller that
// asked for one version turns into Changed. A 404 without the words that S3 has for it is a load
// balancer's or a proxy's, and Transient: nobody may take an object for gone because of it.
Error error_of_s3(std::string_view what, const HttpHead& head, const std::optional<S3Error>& own,
                  Words words, WallTime now);

// The keys are not taken any more, others may be.
bool means_expired_keys(const S3Error& error);
// The request's time is too far from the server's.
bool means_wrong_time(const S3Error& error);
// The bucket is in another region than the request was signed for.
bool means_other_region(int status, const std::optional<S3Error>& error);

}  // namespace millrace
