#include "agent/s3/signer.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <new>
#include <utility>

#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

Digest hmac(std::span<const std::byte> key, std::string_view text) {
  Digest digest{};
  unsigned length = 0;
  const auto* const done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                                reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                                reinterpret_cast<unsigned char*>(digest.data()), &length);
  // Nothing but a failed allocation makes it fail.
  if (done == nullptr || length != digest.size()) throw std::bad_alloc();
  return digest;
}

struct Stamp {
  std::string time;  // 20150830T123600Z
  std::string date;  // 20150830
};

Stamp stamp_of(WallTime time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{second - day};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d%02u%02uT%02d%02d%02dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  const std::string whole = text.data();
  return {whole, whole.substr(0, 8)};
}

std::string scope_text(const Stamp& stamp, const SigningScope& scope) {
  return stamp.date + '/' + scope.region + '/' + scope.service + "/aws4_request";
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Without spaces at its ends, and one for several within.
std::string canonical_value(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (!is_space(c))
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

// Lower-case name -> the values of all headers of that name, in their order.
std::map<std::string, std::string> canonical_headers(const Headers& headers) {
  std::map<std::string, std::string> by_name;
  for (const auto& [name, value] : headers) {
    const auto [place, is_new] = by_name.try_emplace(to_lower_ascii(name));
    if (!is_new) place->second += ',';
    place->second += canonical_value(value);
  }
  return by_name;
}

std::string signed_names(const Headers& headers) {
  std::string names;
  for (const auto& [name, value] : canonical_headers(headers)) {
    if (!names.empty()) names += ';';
    names += name;
  }
  return names;
}

std::string canonical_path(const std::string& path, PathRule rule) {
  switch (rule) {
    case PathRule::AsSent:
      return path;
    case PathRule::EncodedAgain:
      return uri_encode(path, Slash::Keep);
    case PathRule::NormalizedEncodedAgain:
      return uri_encode(normalized_path(path), Slash::Keep);
  }
  return path;
}

SigningSteps steps_of(const RequestToSign& request, const Credentials& keys,
                      const SigningScope& scope, const Stamp& stamp) {
  SigningSteps steps;
  std::string& text = steps.canonical_request;
  text = request.method + '\n' + canonical_path(request.path, scope.path) + '\n' +
         canonical_query(request.query) + '\n';
  for (const auto& [name, value] : canonical_headers(request.headers))
    text.append(name).append(":").append(value).append("\n");
  text.append("\n").append(signed_names(request.headers)).append("\n").append(request.payload_hash);

  steps.string_to_sign = std::string(kAlgorithm) + '\n' + stamp.time + '\n' +
                         scope_text(stamp, scope) + '\n' + to_hex(sha256(text));
  const std::string first = "AWS4" + keys.secret_access_key;
  const Digest of_date = hmac(std::as_bytes(std::span(first)), stamp.date);
  const Digest of_region = hmac(of_date, scope.region);
  const Digest of_service = hmac(of_region, scope.service);
  steps.signature = to_hex(hmac(hmac(of_service, "aws4_request"), steps.string_to_sign));
  return steps;
}

}  // namespace

SignedHeaders sign_headers(RequestToSign request, const Credentials& keys,
                           const SigningScope& scope) {
  const Stamp stamp = stamp_of(scope.time);
  const std::pair<std::string, std::string> token{"x-amz-security-token", keys.session_token};
  const bool has_token = !keys.session_token.empty();
  SignedHeaders out;
  out.added.emplace_back("x-amz-date", stamp.time);
  if (scope.payload == PayloadRule::Shown)
    out.added.emplace_back("x-amz-content-sha256", request.payload_hash);
  if (has_token && scope.token == TokenRule::Signed) out.added.push_back(token);
  std::ranges::copy(out.added, std::back_inserter(request.headers));
  out.steps = steps_of(request, keys, scope, stamp);
  if (has_token && scope.token == TokenRule::Unsigned) out.added.push_back(token);
  out.added.emplace_back("Authorization", std::string(kAlgorithm) + " Credential=" +
                                              keys.access_key_id + '/' + scope_text(stamp, scope) +
                                              ", SignedHeaders=" + signed_names(request.headers) +
                                              ", Signature=" + out.steps.signature);
  return out;
}

SignedQuery sign_query(RequestToSign request, const Credentials& keys, const SigningScope& scope,
                       std::chrono::seconds life) {
  const Stamp stamp = stamp_of(scope.time);
  const std::pair<std::string, std::string> token{"X-Amz-Security-Token", keys.session_token};
  const bool has_token = !keys.session_token.empty();
  QueryFields& query = request.query;
  query.emplace_back("X-Amz-Algorithm", kAlgorithm);
  query.emplace_back("X-Amz-Credential", keys.access_key_id + '/' + scope_text(stamp, scope));
  query.emplace_back("X-Amz-Date", stamp.time);
  query.emplace_back("X-Amz-Expires", std::to_string(life.count()));
  query.emplace_back("X-Amz-SignedHeaders", signed_names(request.headers));
  if (has_token && scope.token == TokenRule::Signed) query.push_back(token);
  SignedQuery out;
  out.steps = steps_of(request, keys, scope, stamp);
  if (has_token && scope.token == TokenRule::Unsigned) query.push_back(token);
  query.emplace_back("X-Amz-Signature", out.steps.signature);
  out.query = canonical_query(query);
  return out;
}

}  // namespace millrace
