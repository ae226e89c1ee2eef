// What the tests of the server share: one that tells what arrived, and what is sent to it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "platform/http/server.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace::test {

inline ServerOptions options_in(const Scratch& scratch) {
  ServerOptions options;
  options.address = "127.0.0.1:0";
  options.spool_dir = scratch.path();
  options.spool_above = 1000;
  options.max_body = 2'000'000;
  return options;
}

// Tells what arrived: "METHOD path size where".
inline void describe(const std::shared_ptr<ServerRequest>& request, const Respond& respond) {
  ServerResponse response;
  response.content_type = "text/plain";
  response.body = request->method + " " + request->path + " " + std::to_string(request->body_size) +
                  (request->body_file.empty() ? " memory" : " file");
  respond(response);
}

inline std::unique_ptr<HttpServer> start(ServerOptions options, Handler handler = describe) {
  auto server = start_http_server(std::move(options), std::move(handler));
  if (!server) FAIL(server.error().message);
  return std::move(*server);
}

inline std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n";
}
inline std::string post(std::string_view body, std::string_view more = "") {
  return "POST /p HTTP/1.1\r\nHost: x\r\n" + std::string(more) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace millrace::test
