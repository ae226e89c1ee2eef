// AWS Signature Version 4, in headers and in a query (a presigned link). Pure.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "agent/s3/credentials.hpp"
#include "agent/s3/uri.hpp"
#include "agent/transfer/http_client.hpp"

namespace millrace {

// What stands for the hash of a body that is not signed; over TLS only.
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
inline constexpr std::string_view kEmptySha256 =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// How the path that is sent becomes the path that is signed.
enum class PathRule {
  AsSent,                  // S3
  EncodedAgain,            // other services, where they are told not to normalise
  NormalizedEncodedAgain,  // other services
};
// Unsigned: a token in a query may be added after signing, as some services want it.
enum class TokenRule { Signed, Unsigned };
// Shown: `x-amz-content-sha256` is sent and signed, as S3 wants it.
enum class PayloadRule { Shown, Hidden };

struct SigningScope {
  WallTime time;  // of the server (see ServerClock), cut to seconds
  std::string region;
  std::string service = "s3";
  PathRule path = PathRule::AsSent;
  TokenRule token = TokenRule::Signed;
  PayloadRule payload = PayloadRule::Shown;
};

struct RequestToSign {
  std::string method = "GET";
  std::string path = "/";  // as it is sent: percent-encoded, begins with `/`
  QueryFields query;       // decoded; sent as canonical_query() writes it
  Headers headers;         // all of them are signed; `host` is one of them, with a port that is not
                           // the scheme's own
  std::string payload_hash{kEmptySha256};  // SHA-256 in hex, or kUnsignedPayload
};

// The steps of a signature, as the documents name them. They hold no secret, but for a token.
struct SigningSteps {
  std::string canonical_request;
  std::string string_to_sign;
  std::string signature;
};

// What is to be sent beside the request's own headers: the date, the payload's hash, the token and
// `Authorization`.
struct SignedHeaders {
  Headers added;
  SigningSteps steps;
};
SignedHeaders sign_headers(RequestToSign request, const Credentials& keys,
                           const SigningScope& scope);

// The whole query of a link that holds for `life` (1 s to 7 days) from scope.time on. For S3 the
// payload's hash is kUnsignedPayload, and scope.payload is of no matter.
struct SignedQuery {
  std::string query;  // encoded; a secret, since whoever has it may do what was signed
  SigningSteps steps;
};
SignedQuery sign_query(RequestToSign request, const Credentials& keys, const SigningScope& scope,
                       std::chrono::seconds life);

}  // namespace millrace
