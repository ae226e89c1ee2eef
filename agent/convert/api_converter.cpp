#include "agent/convert/api_converter.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <vector>

#include "agent/convert/answer_body.hpp"
#include "agent/convert/api_error.hpp"
#include "agent/convert/idempotency_key.hpp"
#include "agent/convert/link_query.hpp"
#include "agent/convert/payload_sender.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::size_t kMostErrorBody = 64 * 1024;
// What a link lives beyond the attempt: clocks differ.
constexpr Duration kLinkReserve = std::chrono::seconds{60};

// An answer to a link that may have led to another version: it is whole only if the source is still
// the same at its end.
class AnswerOfSameSource final : public DigestedSource {
 public:
  AnswerOfSameSource(std::unique_ptr<DigestedSource> answer, SourceReader& source)
      : answer_(std::move(answer)), source_(source) {}

  Result<std::size_t> read(std::span<std::byte> into) override {
    auto got = answer_->read(into);
    if (!got || *got > 0) return got;
    const auto same = source_.check_unchanged();
    if (same) return got;
    Error error = same.error();
    // The answer is lost with it; that of the next attempt is free.
    if (error.kind == ErrorKind::Environment) error.kind = ErrorKind::Transient;
    error.message = "the answer may be of another version: " + error.message;
    return std::unexpected(std::move(error));
  }
  std::string take_sha256() override { return answer_->take_sha256(); }

 private:
  const std::unique_ptr<DigestedSource> answer_;
  SourceReader& source_;
};

// The API key for one request, wiped when it goes out of scope.
class Secret {
 public:
  Secret() = default;
  ~Secret() { OPENSSL_cleanse(text_.data(), text_.size()); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  void take(std::string text) { text_.swap(text); }
  const std::string& text() const { return text_; }

  // What the other side said, without our key in it: its words go into logs, notes and the ledger.
  std::string hide_in(std::string words) const {
    constexpr std::size_t kShortest = 4;  // anything shorter is a word as any other
    if (text_.size() < kShortest) return words;
    for (auto at = words.find(text_); at != std::string::npos; at = words.find(text_, at)) {
      words.replace(at, text_.size(), kHidden);
      at += kHidden.size();
    }
    return words;
  }

 private:
  static constexpr std::string_view kHidden = "(the API key)";
  std::string text_;
};

class ApiConverter final : public Converter {
 public:
  ApiConverter(HttpClient& http, ApiConverterRules rules, const Clock& clock)
      : http_(http), rules_(std::move(rules)), clock_(clock) {
    if (rules_.account.empty()) rules_.account = account_of_url(rules_.url);
  }

  const std::string& account() const override { return rules_.account; }
  std::string key_for(const std::string& content, const std::string& target,
                      const ConvertOptions& options) const override {
    return make_idempotency_key(rules_.account, content, target, options);
  }
  ConvertReply convert(const ConvertRequest& request, Payload& payload,
                       std::stop_token stop) override;

 private:
  Result<SourceLink> link_to(Payload& payload) const;
  Result<void> check_size(const Payload& payload) const;
  Result<void> take_key(Secret& key) const;
  void add_headers(HttpRequest& to, const ConvertRequest& request, const RequestFrame& frame,
                   const Secret& key) const;
  Result<std::unique_ptr<HttpExchange>> start(const ConvertRequest& request,
                                              const RequestFrame& frame, const Payload& payload,
                                              const Secret& key, std::stop_token stop);
  Result<Artifact> believe(std::unique_ptr<HttpExchange> exchange, const HttpHead& head,
                           const ConvertRequest& request, std::shared_ptr<AnswerVerdict> verdict);

  HttpClient& http_;
  ApiConverterRules rules_;
  const Clock& clock_;
};

std::string size_text(std::uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

Result<void> ApiConverter::check_size(const Payload& payload) const {
  if (rules_.max_size == 0 || payload.size() <= rules_.max_size) return {};
  return fail(ErrorKind::Input, "larger than the limit of " + rules_.name + ": " +
                                    size_text(payload.size()) + ", allowed are " +
                                    size_text(rules_.max_size));
}

// Empty where the bytes are sent.
Result<SourceLink> ApiConverter::link_to(Payload& payload) const {
  if (rules_.upload != UploadForm::Url) return SourceLink{};
  const HttpTimeouts& may_take = rules_.timeouts;
  return payload.reader().link(std::chrono::ceil<std::chrono::seconds>(
      may_take.connect + may_take.stall + may_take.thinking + kLinkReserve));
}

Result<void> ApiConverter::take_key(Secret& key) const {
  if (!rules_.api_key) return {};
  auto supplied = rules_.api_key();
  if (!supplied) return std::unexpected(supplied.error());
  key.take(std::move(*supplied));
  const auto bad = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; };
  if (key.text().empty() || std::any_of(key.text().begin(), key.text().end(), bad)) {
    return fail(ErrorKind::Configuration,
                "the API key of " + rules_.name + " is empty or holds a blank or a line end");
  }
  return {};
}

void ApiConverter::add_headers(HttpRequest& to, const ConvertRequest& request,
                               const RequestFrame& frame, const Secret& key) const {
  const std::string_view media_type = marks_of(request.target).media_type;
  to.headers = {{"User-Agent", "millrace/" MILLRACE_VERSION},
                {"Accept", media_type.empty() ? "*/*" : std::string(media_type) + ", */*;q=0.5"},
                {"Content-Type", frame.content_type},
                {"Idempotency-Key", request.key}};
  if (key.text().empty()) return;
  // Reserved, so that no shorter copy of the key is left behind by growth.
  std::string value;
  value.reserve(7 + key.text().size());
  value.append("Bearer ").append(key.text());
  to.headers.emplace_back("Authorization", std::move(value));
}

Result<std::unique_ptr<HttpExchange>> ApiConverter::start(const ConvertRequest& request,
                                                          const RequestFrame& frame,
                                                          const Payload& payload, const Secret& key,
                                                          std::stop_token stop) {
  HttpRequest http;
  http.url = frame.url;
  http.unix_socket = rules_.unix_socket;
  http.ca_file = rules_.ca_file;
  http.max_answer = rules_.max_answer;
  http.timeouts = rules_.timeouts;
  http.stop_upload = request.stop_uploading;
  http.before_sending = request.before_sending;
  http.body_length =
      frame.head.size() + frame.tail.size() + (frame.carries_file ? payload.size() : 0);
  add_headers(http, request, frame, key);
  return http_.start(std::move(http), std::move(stop));
}

std::string read_error_body(HttpExchange& exchange) {
  std::string body;
  std::vector<std::byte> buffer(4096);
  while (body.size() < kMostErrorBody) {
    const auto got = exchange.read(buffer);
    if (!got || *got == 0) break;
    body.append(reinterpret_cast<const char*>(buffer.data()), *got);
  }
  return body;
}

Result<Artifact> ApiConverter::believe(std::unique_ptr<HttpExchange> exchange, const HttpHead& head,
                                       const ConvertRequest& request,
                                       std::shared_ptr<AnswerVerdict> verdict) {
  const auto echo = head.header("idempotency-key");
  if (echo && *echo != request.key) {
    return fail(ErrorKind::Transient, "the answer belongs to another request");
  }
  auto body = AnswerBody::open(std::move(exchange), head, request.target, std::move(verdict));
  if (!body) return std::unexpected(body.error());
  return Artifact{
      .content_type = printable(without_queries(head.header("content-type").value_or("")), 100),
      .length = head.length,
      .body = std::move(*body)};
}

ConvertReply ApiConverter::convert(const ConvertRequest& request, Payload& payload,
                                   std::stop_token stop) {
  auto verdict = std::make_shared<AnswerVerdict>();
  ConvertReply reply;
  reply.verdict = verdict;
  Secret key;
  const auto failed = [&](Error error) -> ConvertReply {
    error.message = key.hide_in(std::move(error.message));
    reply.artifact = std::unexpected(std::move(error));
    return std::move(reply);
  };
  if (auto fits = check_size(payload); !fits) return failed(fits.error());
  if (auto taken = take_key(key); !taken) return failed(taken.error());
  const auto link = link_to(payload);
  if (!link) return failed(link.error());
  const bool may_be_other = rules_.upload == UploadForm::Url && !link->names_version;
  const RequestFrame frame = make_request_frame(rules_.upload, rules_.url, request, link->url);
  auto exchange = start(request, frame, payload, key, stop);
  if (!exchange) return failed(exchange.error());

  auto sent = send_request(**exchange, frame, payload);
  auto head = sent ? (*exchange)->head() : Result<HttpHead>(std::unexpected(sent.error()));
  const auto progress = (*exchange)->progress();
  reply.bytes_sent = progress.body_sent;
  reply.whole_request_sent = progress.whole_request_sent;
  if (!head) return failed(head.error());
  for (auto& [name, value] : head->headers) value = key.hide_in(std::move(value));

  const WallTime now = clock_.wall_now();
  reply.http_status = head->status;
  reply.news = parse_rate_news(*head, now);
  if (!is_success(head->status)) {
    const auto own = parse_api_error(key.hide_in(read_error_body(**exchange)));
    Error error = error_of_answer(*head, own, now);
    // What was refused may be another version, or none.
    if (may_be_other && error.kind == ErrorKind::Input)
      if (auto same = payload.reader().check_unchanged(); !same) return failed(same.error());
    return failed(std::move(error));
  }
  reply.artifact = believe(std::move(*exchange), *head, request, std::move(verdict));
  if (reply.artifact && may_be_other)
    reply.artifact->body =
        std::make_unique<AnswerOfSameSource>(std::move(reply.artifact->body), payload.reader());
  return reply;
}

}  // namespace

std::string account_of_url(const std::string& url) {
  const std::string lower = to_lower_ascii(url);
  const auto scheme = lower.find("://");
  if (scheme == std::string::npos) return {};
  const std::string name = lower.substr(0, scheme);
  std::string host = lower.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  host = host.substr(host.rfind('@') + 1);
  if (host.empty() || (name != "http" && name != "https")) return {};
  const auto colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  if (!has_port) host += name == "https" ? ":443" : ":80";
  return name + "://" + host;
}

Result<std::unique_ptr<Converter>> make_api_converter(HttpClient& http, ApiConverterRules rules,
                                                      const Clock& clock) {
  if (account_of_url(rules.url).empty()) {
    return fail(ErrorKind::Configuration,
                "the URL of " + rules.name + " must begin with https:// or http:// and a host");
  }
  return std::make_unique<ApiConverter>(http, std::move(rules), clock);
}

}  // namespace millrace
