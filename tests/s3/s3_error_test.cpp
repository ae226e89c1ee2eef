#include "agent/s3/s3_error.hpp"

#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

std::string error_document(std::string_view code, std::string_view more = "") {
  return "<?xml version=\"1.0\"?>\n<Error><Code>" + std::string(code) +
         "</Code><Message>words</Message>" + std::string(more) +
         "<RequestId>r1</RequestId></Error>";
}

Error error_for(int status, std::string_view body, Words words = Words::Usual) {
  HttpHead head;
  head.status = status;
  return error_of_s3("GET b/k", head, parse_s3_error(body), words, WallTime{});
}

}  // namespace

TEST_CASE("the error document is read, and nothing else is one") {
  const auto error =
      parse_s3_error(error_document("PermanentRedirect", "<Region>eu-west-1</Region>"));
  REQUIRE(error);
  CHECK(error->code == "PermanentRedirect");
  CHECK(error->message == "words");
  CHECK(error->region == "eu-west-1");
  CHECK(error->request_id == "r1");
  for (const std::string& body :
       {std::string(), std::string("<html>502</html>"), std::string("<Error></Error>"),
        std::string("<Error><Code>SlowDown</Code>"), std::string("{\"Code\":\"SlowDown\"}"),
        std::string("<!DOCTYPE a>") + error_document("SlowDown")}) {
    INFO(body);
    CHECK_FALSE(parse_s3_error(body));
  }
}

TEST_CASE("the server's words are safe for one line") {
  const auto error = parse_s3_error("<Error><Code>A</Code><Message>x&#10;y\x7F</Message></Error>");
  REQUIRE(error);
  CHECK(error->message == "x\\x0ay\\x7f");
}

TEST_CASE("each code and each status has its kind [N6]") {
  struct Row {
    int status;
    std::string_view code;
    ErrorKind kind;
  };
  using enum ErrorKind;
  const Row rows[] = {{503, "SlowDown", Rate},
                      {503, "", Rate},
                      {429, "", Rate},
                      {400, "RequestTimeout", Transient},
                      {400, "ExpiredToken", Transient},
                      {400, "BadDigest", Transient},
                      {409, "OperationAborted", Transient},
                      {500, "InternalError", Transient},
                      {200, "InternalError", Transient},
                      {200, "SlowDown", Rate},
                      {502, "", Transient},
                      {403, "SignatureDoesNotMatch", Configuration},
                      {403, "InvalidAccessKeyId", Configuration},
                      {403, "RequestTimeTooSkewed", Configuration},
                      {301, "PermanentRedirect", Configuration},
                      {307, "", Configuration},
                      {501, "NotImplemented", Configuration},
                      {403, "AccessDenied", Environment},
                      {403, "", Environment},
                      {404, "NoSuchBucket", Environment},
                      {507, "", Environment},
                      {404, "NoSuchKey", Vanished},
                      {404, "", Transient},
                      {404, "SomethingNew", Vanished},
                      {404, "NoSuchUpload", Vanished},
                      {412, "PreconditionFailed", Exists},
                      {412, "", Exists},
                      {400, "KeyTooLongError", Input},
                      {403, "InvalidObjectState", Input},
                      {400, "SomethingNew", Input},
                      {416, "InvalidRange", Input},
                      {400, "", Transient}};
  for (const Row& row : rows) {
    const Error error = error_for(row.status, row.code.empty() ? "" : error_document(row.code));
    INFO(error.message);
    CHECK(error.kind == row.kind);
  }
}

TEST_CASE("the message names what was asked, status, code and words; a wait is taken over") {
  CHECK(error_for(403, error_document("SignatureDoesNotMatch")).message ==
        "GET b/k: the server answered 403 SignatureDoesNotMatch: words");
  HttpHead head;
  head.status = 503;
  head.headers = {{"retry-after", "7"}};
  CHECK(error_of_s3("GET b/k", head, std::nullopt, Words::Usual, WallTime{}).retry_after ==
        std::chrono::seconds{7});
}

TEST_CASE("a 404 without the words of S3 says nothing of the object, but to HEAD [N6]") {
  for (const char* page : {"", "<html>404</html>", "<Error></Error>"}) {
    const Error error = error_for(404, page);
    CHECK(error.kind == ErrorKind::Transient);
    CHECK(error.message == "GET b/k: the server answered 404, and not in the words of S3");
  }
  const Error head = error_for(404, "", Words::NeverThere);
  CHECK(head.kind == ErrorKind::Vanished);
  CHECK(head.message == "GET b/k: the server answered 404");
}

TEST_CASE("what can be tried again with other keys, another time or another region is known") {
  const auto error = [](std::string_view code) { return *parse_s3_error(error_document(code)); };
  CHECK(means_expired_keys(error("ExpiredToken")));
  CHECK_FALSE(means_expired_keys(error("SignatureDoesNotMatch")));
  CHECK(means_wrong_time(error("RequestTimeTooSkewed")));
  CHECK_FALSE(means_wrong_time(error("AccessDenied")));
  CHECK(means_other_region(301, std::nullopt));
  CHECK(means_other_region(307, std::nullopt));
  CHECK(means_other_region(400, error("AuthorizationHeaderMalformed")));
  CHECK_FALSE(means_other_region(400, std::nullopt));
  CHECK_FALSE(means_other_region(403, error("AccessDenied")));
}
