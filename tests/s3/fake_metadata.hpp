// The metadata services of an instance and of a container, with the rules of their documents.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "platform/http/server.hpp"

namespace millrace::test {

// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html: a token by
// PUT with a life of 1 to 21600 s, 400 without one, 403 for what came through a proxy; then every
// GET wants a token that still lives, else 401. `/container` wants `authorization`, else 401.
class FakeMetadata {
 public:
  FakeMetadata();
  std::string url() const { return server_->address(); }

  struct Script {
    std::string role = "agent-role";  // empty: no role
    std::string document = R"({"Code":"Success","LastUpdated":"2026-03-01T00:00:00Z",)"
                           R"("Type":"AWS-HMAC","AccessKeyId":"ASIA1","SecretAccessKey":"s1",)"
                           R"("Token":"t1","Expiration":"2026-03-01T06:00:00Z"})";
    std::string authorization = {};  // what /container wants
    int token_status = 200;          // of the PUT
    int document_status = 200;       // of the last step
    bool tokens_die_at_once = false;
  };
  void set(Script script);
  std::vector<std::string> asked() const;  // "GET /path" of every request, in order

 private:
  ServerResponse answer(const ServerRequest& request);
  ServerResponse answer_instance(const ServerRequest& request);

  mutable std::mutex mutex_;
  Script script_;
  std::vector<std::string> asked_;
  int tokens_ = 0;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace millrace::test
