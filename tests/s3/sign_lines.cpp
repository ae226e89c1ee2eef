// Signs what stands on each line of standard input, for signer_oracle_test.py.
//   {"form": "header"|"query", "path_rule": "as_sent"|"normalized", "method", "path",
//    "query": [[name, value]], "headers": [[name, value]], "payload": hash, "keys": [id, secret,
//    token], "region", "service", "time": seconds since 1970, "life": seconds}
// and prints {"signature", "authorization" | "query"} for it.
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/s3/signer.hpp"

using namespace millrace;
using nlohmann::json;

namespace {

json signed_line(const json& line) {
  RequestToSign request;
  request.method = line["method"];
  request.path = line["path"];
  request.payload_hash = line["payload"];
  for (const json& field : line["query"]) request.query.emplace_back(field[0], field[1]);
  for (const json& field : line["headers"]) request.headers.emplace_back(field[0], field[1]);
  const json& key_texts = line["keys"];
  const Credentials keys{key_texts[0], key_texts[1], key_texts[2], {}};
  SigningScope scope;
  scope.time = WallTime{std::chrono::seconds{line["time"].get<std::int64_t>()}};
  scope.region = line["region"];
  scope.service = line["service"];
  if (line["path_rule"] == "normalized") {
    scope.path = PathRule::NormalizedEncodedAgain;
    scope.payload = PayloadRule::Hidden;
  }
  if (line["form"] == "query") {
    const SignedQuery out =
        sign_query(request, keys, scope, std::chrono::seconds{line["life"].get<int>()});
    return {{"signature", out.steps.signature}, {"query", out.query}};
  }
  const SignedHeaders out = sign_headers(request, keys, scope);
  return {{"signature", out.steps.signature}, {"authorization", out.added.back().second}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);)
    std::cout << signed_line(json::parse(line)).dump() << '\n';
}
