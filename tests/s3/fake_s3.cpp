#include "tests/s3/fake_s3.hpp"

namespace millrace::test {

FakeS3::FakeS3() {
  ServerOptions options;
  options.address = "127.0.0.1:0";
  auto server =
      start_http_server(options, [this](const std::shared_ptr<ServerRequest>& request,
                                        const Respond& respond) { respond(answer(*request)); });
  REQUIRE(server);
  server_ = std::move(*server);
}

ServerResponse& FakeS3::then(int status, std::string body) {
  const std::lock_guard lock(mutex_);
  ServerResponse& response = answers_.emplace_back();
  response.status = status;
  response.content_type = "application/xml";
  response.body = std::move(body);
  return response;
}

ServerResponse FakeS3::answer(const ServerRequest& request) {
  const std::lock_guard lock(mutex_);
  ServerRequest& seen = asked_.emplace_back();
  seen.method = request.method;
  seen.path = request.path;
  seen.query = request.query;
  seen.headers = request.headers;
  seen.body = request.body;
  if (answers_.empty()) return error_response(500, "unscripted", "no answer is left");
  ServerResponse response = std::move(answers_.front());
  answers_.pop_front();
  return response;
}

std::string error_body(std::string_view code, std::string_view more) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + std::string(code) +
         "</Code><Message>words</Message>" + std::string(more) + "</Error>";
}

}  // namespace millrace::test
