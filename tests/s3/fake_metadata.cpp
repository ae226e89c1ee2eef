#include "tests/s3/fake_metadata.hpp"

#include <cstdlib>

#include "tests/support/catch.hpp"

namespace millrace::test {
namespace {

ServerResponse text(int status, std::string body) {
  ServerResponse response;
  response.status = status;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

}  // namespace

FakeMetadata::FakeMetadata() {
  ServerOptions options;
  options.address = "127.0.0.1:0";
  auto server =
      start_http_server(options, [this](const std::shared_ptr<ServerRequest>& request,
                                        const Respond& respond) { respond(answer(*request)); });
  REQUIRE(server);
  server_ = std::move(*server);
}

void FakeMetadata::set(Script script) {
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
}

std::vector<std::string> FakeMetadata::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

ServerResponse FakeMetadata::answer(const ServerRequest& request) {
  const std::lock_guard lock(mutex_);
  asked_.push_back(request.method + ' ' + request.path);
  if (request.path == "/container") {
    if (request.header("authorization") != script_.authorization) return text(401, "");
    return text(script_.document_status, script_.document);
  }
  return answer_instance(request);
}

ServerResponse FakeMetadata::answer_instance(const ServerRequest& request) {
  if (request.path == "/latest/api/token") {
    if (request.method != "PUT") return text(405, "");
    if (!request.header("x-forwarded-for").empty()) return text(403, "");
    const int life =
        std::atoi(std::string(request.header("x-aws-ec2-metadata-token-ttl-seconds")).c_str());
    if (life < 1 || life > 21600) return text(400, "");
    if (script_.token_status != 200) return text(script_.token_status, "");
    return text(200, "token-" + std::to_string(++tokens_));
  }
  const std::string live = "token-" + std::to_string(tokens_);
  if (request.method != "GET") return text(405, "");
  if (tokens_ == 0 || script_.tokens_die_at_once ||
      request.header("x-aws-ec2-metadata-token") != live)
    return text(401, "");
  const std::string roles = "/latest/meta-data/iam/security-credentials/";
  if (script_.role.empty()) return text(404, "");
  if (request.path == roles) return text(200, script_.role + "\n");
  if (request.path == roles + script_.role) return text(script_.document_status, script_.document);
  return text(404, "");
}

}  // namespace millrace::test
