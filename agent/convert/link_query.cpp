#include "agent/convert/link_query.hpp"

#include <algorithm>
#include <array>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

// What ends a link in a text: none of these may stand in a URL unencoded (RFC 3986, 2).
constexpr std::string_view kEnds = " \t\r\n\"<>\\^`{|}";
constexpr std::string_view kHidden = "(hidden)";

// Names of parameters that carry a signature or what it is made with: S3, Google, Azure,
// CloudFront. Lower case.
constexpr std::array<std::string_view, 7> kSigned{
    "x-amz-", "x-goog-", "signature", "awsaccesskeyid", "key-pair-id=", "sig=", "policy="};

// The length of the part of one word that may be shown.
std::size_t shown(std::string_view word) {
  const std::string lower = to_lower_ascii(word);
  std::size_t end = word.size();
  const bool link = lower.find("://") != lower.npos || lower.find("%3a%2f%2f") != lower.npos;
  const auto query = lower.find('?');
  // A question in plain words has its mark at the end.
  if (query != lower.npos && (link || lower.find('=', query) != lower.npos)) {
    end = std::min(end, query + 1);
  }
  if (link) {
    if (const auto encoded = lower.find("%3f"); encoded != lower.npos) end = std::min(end, encoded);
  }
  for (const std::string_view name : kSigned) {
    const auto at = lower.find(name);
    const auto value = at == lower.npos ? at : lower.find_first_of("=%", at);
    if (value != lower.npos) end = std::min(end, at);
  }
  return end;
}

}  // namespace

std::string without_queries(std::string_view words) {
  std::string out;
  out.reserve(words.size());
  while (!words.empty()) {
    const auto length = std::min(words.find_first_of(kEnds), words.size());
    const std::string_view word = words.substr(0, length);
    const std::size_t keep = shown(word);
    out += word.substr(0, keep);
    if (keep < word.size()) out += kHidden;
    words.remove_prefix(length);
    const auto ends = std::min(words.find_first_not_of(kEnds), words.size());
    out += words.substr(0, ends);
    words.remove_prefix(ends);
  }
  return out;
}

}  // namespace millrace
