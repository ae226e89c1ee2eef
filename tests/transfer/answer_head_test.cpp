#include "agent/transfer/answer_head.hpp"

#include "agent/transfer/url_rule.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

HttpHead parse(std::initializer_list<std::string_view> lines, std::string_view method = "POST") {
  AnswerHead head;
  for (const auto line : lines) head.add(line);
  CHECK(head.add("\r\n") == AnswerHead::Line::Final);
  return head.take(method);
}

ErrorKind refusal(std::string url, std::string unix_socket = {},
                  PlainHttp plain_http = PlainHttp::Loopback) {
  HttpRequest request;
  request.plain_http = plain_http;
  request.url = std::move(url);
  request.unix_socket = std::move(unix_socket);
  const auto target = check_target(request);
  return target ? ErrorKind::Stopped : target.error().kind;
}

}  // namespace

TEST_CASE("a head is framed by a length or by chunks, and by nothing else [E13]") {
  const auto with_length = parse({"HTTP/1.1 200 OK\r\n", "Content-Length: 12\r\n"});
  CHECK(with_length.framed);
  CHECK(with_length.length == 12u);
  const auto chunked = parse({"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: gzip, chunked\r\n"});
  CHECK(chunked.framed);
  CHECK_FALSE(chunked.length);
  CHECK_FALSE(parse({"HTTP/1.1 200 OK\r\n"}).framed);
  CHECK_FALSE(
      parse({"HTTP/1.1 200 OK\r\n", "Content-Length: 12\r\n", "Content-Length: 13\r\n"}).framed);
  CHECK_FALSE(parse({"HTTP/1.1 200 OK\r\n", "Content-Length: -1\r\n"}).framed);
  CHECK(parse({"HTTP/1.1 204 No Content\r\n"}).framed);
  CHECK(parse({"HTTP/1.1 200 OK\r\n"}, "HEAD").framed);
}

TEST_CASE("interim heads are left out, names are lower case, values are trimmed") {
  AnswerHead head;
  head.add("HTTP/1.1 100 Continue\r\n");
  CHECK(head.add("\r\n") == AnswerHead::Line::Interim);
  head.add("HTTP/1.1 429 Too Many Requests\r\n");
  head.add("Retry-After:  7 \r\n");
  CHECK(head.add("\r\n") == AnswerHead::Line::Final);
  CHECK(head.add("X-Trailer: 1\r\n") == AnswerHead::Line::Trailer);
  const HttpHead taken = head.take("POST");
  CHECK(taken.status == 429);
  CHECK(taken.header("retry-after") == "7");
  CHECK_FALSE(taken.header("x-trailer"));
}

TEST_CASE("a head without end is too much [E17]") {
  AnswerHead head;
  head.add("HTTP/1.1 200 OK\r\n");
  auto last = AnswerHead::Line::More;
  for (int i = 0; i < 600 && last == AnswerHead::Line::More; ++i) last = head.add("A: b\r\n");
  CHECK(last == AnswerHead::Line::TooMuch);
}

TEST_CASE("http is for this machine only, and a URL holds no password [E15]") {
  const auto allowed = ErrorKind::Stopped;
  CHECK(refusal("https://api.example/v1") == allowed);
  CHECK(refusal("http://127.0.0.1:80/") == allowed);
  CHECK(refusal("http://127.8.9.1/") == allowed);
  CHECK(refusal("http://[::1]:8080/") == allowed);
  CHECK(refusal("http://LOCALHOST/") == allowed);
  CHECK(refusal("http://any.name/", "/run/millrace.sock") == allowed);
  for (const char* url :
       {"http://api.example/", "http://127.0.0.1.example/", "http://127.example/", "ftp://a/",
        "file:///etc/passwd", "https://me:secret@api.example/", "", "https://", "gopher://a"})
    CHECK(refusal(url) == ErrorKind::Configuration);
}

TEST_CASE("http goes to a cloud's metadata services only where it is asked to") {
  const auto allowed = ErrorKind::Stopped;
  for (const char* url :
       {"http://169.254.169.254/latest/", "http://169.254.170.2/v2/", "http://169.254.170.23/",
        "http://[fd00:ec2::254]/", "http://[fd00:ec2::23]/"}) {
    INFO(url);
    CHECK(refusal(url, {}, PlainHttp::MetadataServices) == allowed);
    CHECK(refusal(url) == ErrorKind::Configuration);
  }
  CHECK(refusal("http://127.0.0.1/", {}, PlainHttp::MetadataServices) == allowed);
  for (const char* url : {"http://169.254.169.253/", "http://169.254.169.254.example/",
                          "http://[fd00:ec2::255]/", "http://192.168.1.1/"}) {
    INFO(url);
    CHECK(refusal(url, {}, PlainHttp::MetadataServices) == ErrorKind::Configuration);
  }
}
