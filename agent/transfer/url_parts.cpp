#include "agent/transfer/url_parts.hpp"

#include <curl/curl.h>

#include "agent/transfer/curl_url.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

std::unexpected<Error> refuse(std::string_view why) {
  return fail(ErrorKind::Input, "the server redirects " + std::string(why));
}

}  // namespace

Result<std::string> redirect_target(const std::string& base, std::string_view location) {
  const ParsedUrl url = parse_url(base);
  if (!url) return refuse("from what is no URL");
  const bool from_plain = url_part(url, CURLUPART_SCHEME) == "http";
  // Set on a parsed URL, a relative reference is resolved against it.
  if (curl_url_set(url.get(), CURLUPART_URL, std::string(location).c_str(), 0) != CURLUE_OK)
    return refuse("to what is no URL");
  const std::string scheme = url_part(url, CURLUPART_SCHEME);
  if (scheme != "https" && !(scheme == "http" && from_plain))
    return refuse("to a URL that is not https");
  if (!url_part(url, CURLUPART_USER).empty() || !url_part(url, CURLUPART_PASSWORD).empty())
    return refuse("to a URL with a user name or password");
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  return url_part(url, CURLUPART_URL);
}

std::string origin_of(const std::string& text) {
  const ParsedUrl url = parse_url(text);
  if (!url) return {};
  return url_part(url, CURLUPART_SCHEME) + "://" + to_lower_ascii(url_part(url, CURLUPART_HOST)) +
         ":" + url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

std::string path_leaf(const std::string& text) {
  const ParsedUrl url = parse_url(text);
  if (!url) return {};
  const std::string path = url_part(url, CURLUPART_PATH);
  const std::string leaf = path.substr(path.rfind('/') + 1);
  int length = 0;
  char* decoded = curl_easy_unescape(nullptr, leaf.c_str(), static_cast<int>(leaf.size()), &length);
  if (decoded == nullptr) return leaf;
  std::string copy(decoded, static_cast<std::size_t>(length));
  curl_free(decoded);
  return copy;
}

}  // namespace millrace
