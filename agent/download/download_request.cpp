#include "agent/download/download_request.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "agent/download/answer_rules.hpp"
#include "agent/transfer/url_parts.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

// "host:443" of "https://host:443".
std::string place_of_origin(const std::string& origin) {
  const auto slashes = origin.find("://");
  return slashes == origin.npos ? std::string() : origin.substr(slashes + 3);
}

}  // namespace

std::unexpected<Error> bad_answer(const std::string& host, std::string_view what) {
  return fail(ErrorKind::Transient, host + ": " + std::string(what));
}

Error as_input(Error error) {
  if (error.kind == ErrorKind::Configuration) error.kind = ErrorKind::Input;
  return error;
}

Error on_disk(Error error) {
  error.kind = ErrorKind::Environment;
  return error;
}

Result<HttpRequest> DownloadRequests::request_for(const std::string& url, const std::string& host,
                                                  const Headers& headers) const {
  const bool allowed = std::ranges::find(rules_.allow, host) != rules_.allow.end();
  HttpRequest request;
  request.method = "GET";
  request.url = url;
  request.ca_file = rules_.ca_file;
  request.headers = headers;
  if (rules_.headers) {
    auto own = rules_.headers(host);
    if (!own) return std::unexpected(own.error());
    std::ranges::move(*own, std::back_inserter(request.headers));
  }
  request.max_answer = ~std::uint64_t{0};
  request.timeouts = rules_.timeouts;
  request.addresses = allowed ? AddressRule::Any : AddressRule::PublicOnly;
  return request;
}

Result<DownloadAnswer> DownloadRequests::get(std::string url, const Headers& headers,
                                             const std::stop_token& stop) const {
  for (int hop = 0; hop <= kMostRedirects; ++hop) {
    DownloadAnswer answer;
    answer.host = printable(place_of_origin(origin_of(url)), 200);
    auto request = request_for(url, answer.host, headers);
    if (!request) return std::unexpected(as_input(request.error()));
    auto exchange = http_.start(std::move(*request), stop);
    if (!exchange) return std::unexpected(as_input(exchange.error()));
    auto head = (*exchange)->head();
    if (!head) return std::unexpected(as_input(head.error()));
    answer.exchange = std::move(*exchange);
    answer.head = std::move(*head);
    if (!is_redirect(answer.head.status)) return answer;
    auto next = redirect_target(url, answer.head.header("location").value_or(""));
    if (!next) return with_context(next.error(), answer.host);
    url = std::move(*next);
  }
  return fail(ErrorKind::Input,
              "more than " + std::to_string(kMostRedirects) + " redirects, one after another");
}

}  // namespace millrace
