#include "agent/download/download_request.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "agent/download/answer_rules.hpp"
#include "agent/transfer/url_parts.hpp"
#include "platform/base/text.hpp"

namespace millrace {
std::string place_of(const std::string& url) {
  const std::string origin = origin_of(url);
  const auto slashes = origin.find("://");
  return printable(slashes == origin.npos ? "" : origin.substr(slashes + 3), 200);
}

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

Result<DownloadQuestion> DownloadRequests::ask(std::string url, const Headers& headers,
                                               const std::stop_token& stop,
                                               OnAnswer on_answer) const {
  DownloadQuestion question;
  question.host = place_of(url);
  auto request = request_for(url, question.host, headers);
  if (!request) return std::unexpected(as_input(request.error()));
  request->on_answer = std::move(on_answer);
  auto exchange = http_.start(std::move(*request), stop);
  if (!exchange) return std::unexpected(as_input(exchange.error()));
  question.exchange = std::move(*exchange);
  question.url = std::move(url);
  return question;
}

Result<DownloadAnswer> DownloadRequests::answer(DownloadQuestion question, const Headers& headers,
                                                const std::stop_token& stop) const {
  for (int hops = 0;; ++hops) {
    auto head = question.exchange->head();
    if (!head) return std::unexpected(as_input(head.error()));
    if (!is_redirect(head->status))
      return DownloadAnswer{std::move(question.exchange), std::move(*head),
                            std::move(question.host)};
    if (hops == kMostRedirects) break;
    auto next = redirect_target(question.url, head->header("location").value_or(""));
    if (!next) return with_context(next.error(), question.host);
    auto asked = ask(std::move(*next), headers, stop, {});
    if (!asked) return std::unexpected(asked.error());
    question = std::move(*asked);
  }
  return fail(ErrorKind::Input,
              "more than " + std::to_string(kMostRedirects) + " redirects, one after another");
}

Result<DownloadAnswer> DownloadRequests::get(std::string url, const Headers& headers,
                                             const std::stop_token& stop) const {
  auto question = ask(std::move(url), headers, stop, {});
  if (!question) return std::unexpected(question.error());
  return answer(std::move(*question), headers, stop);
}

}  // namespace millrace
