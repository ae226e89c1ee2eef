#include "agent/transfer/url_rule.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "agent/transfer/curl_url.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

// libcurl's parser has already turned 127.1 and 0x7f000001 into four decimal numbers, and libcurl
// itself never asks a resolver for localhost.
bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos;
}

bool is_metadata_service(std::string_view host) {
  static constexpr std::array<std::string_view, 5> kAddresses{
      "169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "[fd00:ec2::23]"};
  return std::ranges::find(kAddresses, host) != kAddresses.end();
}

bool may_go_plain(const HttpRequest& request, std::string_view host) {
  if (!request.unix_socket.empty() || is_loopback(host)) return true;
  return request.plain_http == PlainHttp::MetadataServices && is_metadata_service(host);
}

}  // namespace

Result<Target> check_target(const HttpRequest& request) {
  const ParsedUrl url = parse_url(request.url);
  if (!url) return fail(ErrorKind::Configuration, "the URL cannot be read");

  const std::string scheme = url_part(url, CURLUPART_SCHEME);
  const std::string host = to_lower_ascii(url_part(url, CURLUPART_HOST));
  const std::string shown = printable(host, 200);
  if (!url_part(url, CURLUPART_USER).empty() || !url_part(url, CURLUPART_PASSWORD).empty())
    return fail(ErrorKind::Configuration,
                "the URL for " + shown + " holds a user name or password");
  if (scheme != "https" && scheme != "http")
    return fail(ErrorKind::Configuration, "the URL for " + shown + " is not https");
  if (scheme == "http" && !may_go_plain(request, host))
    return fail(ErrorKind::Configuration,
                "http to " + shown + " is refused: https only, except to this machine");
  Target target;
  target.plain = scheme == "http";
  target.host = request.unix_socket.empty()
                    ? shown + ":" + url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT)
                    : printable(request.unix_socket, 200);
  return target;
}

}  // namespace millrace
