#include "tests/api_server/api_server.hpp"

#include <cstdlib>
#include <stdexcept>

#include "tests/http/raw_client.hpp"

namespace millrace::test {
namespace {

std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

}  // namespace

std::string ApiServer::url() const {
  return "http://127.0.0.1:" + std::to_string(port_) + "/v1/convert";
}

std::string ApiServer::ask(const std::string& request) const {
  const auto answer = test::ask(url().substr(0, url().rfind("/v1")), request);
  if (!answer || answer->status != 200) {
    throw std::runtime_error("control: " + (answer ? answer->head + answer->body : "no answer"));
  }
  return answer->body;
}

void ApiServer::faults(std::string_view script) const { ask(post("/_control/faults", script)); }
void ApiServer::latency(std::string_view rule) const { ask(post("/_control/latency", rule)); }

std::string ApiServer::bill() const {
  return ask("GET /_control/bill HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

std::uint64_t ApiServer::count(std::string_view name) const {
  const std::string start = '"' + std::string(name) + "\":", json = bill();
  const auto at = json.find(start);
  if (at == std::string::npos) throw std::runtime_error("no " + start + " in " + json);
  return std::strtoull(json.c_str() + at + start.size(), nullptr, 10);
}

}  // namespace millrace::test
