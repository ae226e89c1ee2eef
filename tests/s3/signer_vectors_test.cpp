// The official vectors of Signature Version 4, all 38; see vectors/README.md.
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "agent/s3/signer.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using nlohmann::json;

namespace {

json vectors() {
  std::ifstream file(S3_VECTORS);
  return json::parse(file);
}

std::string text_of(const json& files, const char* name) {
  return files.at(name).get<std::string>();
}

QueryFields decoded_fields(std::string_view query) {
  QueryFields fields;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto equals = std::min(query.find('='), end);
    const auto value = query.substr(std::min(equals + 1, end), end - std::min(equals + 1, end));
    fields.emplace_back(uri_decode(query.substr(0, equals)), uri_decode(value));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return fields;
}

struct Parsed {
  RequestToSign request;
  std::string query;  // as it stands in the first line
};

// A request as the suite writes it: a line with a space in front goes on with the value before.
Parsed parse(const std::string& text) {
  Parsed out;
  std::istringstream lines(text);
  std::string line, body;
  std::getline(lines, line);
  const auto space = line.find(' ');
  out.request.method = line.substr(0, space);
  const std::string target = line.substr(space + 1, line.rfind(' ') - space - 1);
  out.request.path = target.substr(0, target.find('?'));
  if (const auto mark = target.find('?'); mark != target.npos) out.query = target.substr(mark + 1);
  out.request.query = decoded_fields(out.query);
  while (std::getline(lines, line) && !line.empty()) {
    if (line.starts_with(' ')) {
      out.request.headers.back().second += '\n' + line;
      continue;
    }
    const auto colon = line.find(':');
    out.request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 1));
  }
  std::getline(lines, body, '\0');
  out.request.payload_hash = to_hex(sha256(body));
  return out;
}

SigningScope scope_of(const json& context) {
  SigningScope scope;
  scope.region = context["region"];
  scope.service = context["service"];
  CHECK(context["timestamp"] == "2015-08-30T12:36:00Z");
  scope.time = std::chrono::sys_days{std::chrono::year{2015} / 8 / 30} + std::chrono::hours{12} +
               std::chrono::minutes{36};
  scope.path = context["normalize"] ? PathRule::NormalizedEncodedAgain : PathRule::EncodedAgain;
  const bool token_after = context.value("omit_session_token", false);
  scope.token = token_after ? TokenRule::Unsigned : TokenRule::Signed;
  scope.payload = context["sign_body"] ? PayloadRule::Shown : PayloadRule::Hidden;
  return scope;
}

Credentials keys_of(const json& context) {
  const json& keys = context["credentials"];
  return {keys["access_key_id"], keys["secret_access_key"], keys.value("token", ""), {}};
}

Headers sorted(Headers headers) {
  for (auto& [name, value] : headers) name = to_lower_ascii(name);
  std::ranges::sort(headers);
  return headers;
}

QueryFields sorted_fields(std::string_view query) {
  QueryFields fields = decoded_fields(query);
  std::ranges::sort(fields);
  return fields;
}

}  // namespace

TEST_CASE("the official vectors are signed in headers as they say, all 38 [N9]") {
  const json all = vectors();
  int seen = 0;
  for (const auto& [name, files] : all.items()) {
    INFO(name);
    const json context = json::parse(text_of(files, "context"));
    const Parsed parsed = parse(text_of(files, "request"));
    const SignedHeaders out = sign_headers(parsed.request, keys_of(context), scope_of(context));
    CHECK(out.steps.canonical_request == text_of(files, "header-canonical-request"));
    CHECK(out.steps.string_to_sign == text_of(files, "header-string-to-sign"));
    CHECK(out.steps.signature == text_of(files, "header-signature"));
    Headers sent = parsed.request.headers;
    sent.insert(sent.end(), out.added.begin(), out.added.end());
    CHECK(sorted(sent) == sorted(parse(text_of(files, "header-signed-request")).request.headers));
    ++seen;
  }
  CHECK(seen == 38);
}

TEST_CASE("the official vectors are signed in queries as they say, all 38 [N9]") {
  const json all = vectors();
  int seen = 0;
  for (const auto& [name, files] : all.items()) {
    INFO(name);
    const json context = json::parse(text_of(files, "context"));
    const std::chrono::seconds life{context["expiration_in_seconds"].get<int>()};
    const SignedQuery out = sign_query(parse(text_of(files, "request")).request, keys_of(context),
                                       scope_of(context), life);
    CHECK(out.steps.canonical_request == text_of(files, "query-canonical-request"));
    CHECK(out.steps.string_to_sign == text_of(files, "query-string-to-sign"));
    CHECK(out.steps.signature == text_of(files, "query-signature"));
    CHECK(sorted_fields(out.query) ==
          sorted_fields(parse(text_of(files, "query-signed-request")).query));
    ++seen;
  }
  CHECK(seen == 38);
}
