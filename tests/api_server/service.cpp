#include "tests/api_server/service.hpp"

#include <array>
#include <cmath>
#include <cstdlib>
#include <ctime>

namespace millrace::test {
namespace {

struct Reason {
  int status;
  std::string_view text;
};
constexpr auto kReasons = std::to_array<Reason>({{200, "OK"},
                                                 {204, "No Content"},
                                                 {206, "Partial Content"},
                                                 {307, "Temporary Redirect"},
                                                 {400, "Bad Request"},
                                                 {401, "Unauthorized"},
                                                 {402, "Payment Required"},
                                                 {404, "Not Found"},
                                                 {409, "Conflict"},
                                                 {422, "Unprocessable Content"},
                                                 {429, "Too Many Requests"},
                                                 {500, "Internal Server Error"},
                                                 {503, "Service Unavailable"}});

struct MediaType {
  std::string_view target, type;
};
constexpr auto kTypes = std::to_array<MediaType>({{"png", "image/png"},
                                                  {"jpg", "image/jpeg"},
                                                  {"jpeg", "image/jpeg"},
                                                  {"gif", "image/gif"},
                                                  {"webp", "image/webp"},
                                                  {"tiff", "image/tiff"},
                                                  {"avif", "image/avif"},
                                                  {"svg", "image/svg+xml"},
                                                  {"pdf", "application/pdf"},
                                                  {"txt", "text/plain"}});

std::string_view media_type(std::string_view target) {
  for (const MediaType& row : kTypes) {
    if (row.target == target) return row.type;
  }
  return "application/octet-stream";
}

std::string status_line(int status) {
  std::string_view text = "Status";
  for (const Reason& row : kReasons) {
    if (row.status == status) text = row.text;
  }
  return "HTTP/1.1 " + std::to_string(status) + ' ' + std::string(text) + "\r\n";
}

std::string render_head(int status,
                        const std::vector<std::pair<std::string, std::string>>& headers) {
  std::string out = status_line(status);
  for (const auto& [name, value] : headers) out += name + ": " + value + "\r\n";
  return out + "\r\n";
}

std::string error_json(std::string_view code, std::string_view message) {
  return "{\"error\":{\"code\":" + json_text(code) + ",\"message\":" + json_text(message) + "}}";
}

std::string chunk(std::string_view bytes) {
  std::array<char, 20> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
  return size.data() + std::string(bytes) + "\r\n";
}

std::string chunked(std::string_view body) {
  std::string out;
  for (std::size_t at = 0; at < body.size(); at += 16384) out += chunk(body.substr(at, 16384));
  return out;
}

std::string with_blanks(std::string text) {
  for (char& c : text) c = c == '_' ? ' ' : c;
  return text;
}

std::string seconds_up(Duration d) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(d).count());
}

constexpr std::string_view kHtml =
    "<!DOCTYPE html><html><body><h1>It works!</h1>Please sign in.</body></html>\n";

}  // namespace

Result<Service> Service::make(const ServerOptions& options) {
  auto script = FaultScript::parse(options.script, options.seed);
  if (!script) return std::unexpected(script.error());
  auto book = BillBook::open(options.bill_book, options.key_window);
  if (!book) return std::unexpected(book.error());
  return Service(options, std::move(*book), std::move(*script));
}

Post Service::begin(const RequestHead& head, std::uint64_t connection) {
  Post post;
  post.connection = connection;
  post.time_us = std::chrono::duration_cast<std::chrono::microseconds>(
                     std::chrono::system_clock::now().time_since_epoch())
                     .count();
  post.key = head.header("idempotency-key");
  post.declared = head.length;
  for (const auto& [name, value] : head.query) {
    if (name == "target")
      post.target = value;
    else
      post.fields[name] = value;
  }
  post.authorized =
      options_.token.empty() || head.header("authorization") == "Bearer " + options_.token;
  book_.arrived(post);
  posts_ = post.seq;
  post.fault = script_.pick(post.seq - script_base_, post.attempt, post.key);
  post.note = post.fault.name;
  return post;
}

std::optional<Wire> Service::early_answer(Post& post) {
  if (post.fault.kind != FaultKind::Early) return std::nullopt;
  const double share = post.fault.number("at", 0);
  if (static_cast<double>(post.received) < share * static_cast<double>(post.declared)) {
    return std::nullopt;
  }
  return scripted(post, WireEnd::Close);
}

Admission Service::admit(Post& post, TimePoint now) {
  post.complete = true;
  const KeyVerdict verdict = book_.completed(post, now);
  const FaultKind kind = post.fault.kind;
  if (kind == FaultKind::Status || kind == FaultKind::Redirect || kind == FaultKind::Early) {
    return {scripted(post, WireEnd::Keep), {}};
  }
  if (kind == FaultKind::Hang) return {Wire{.bytes = {}, .end = WireEnd::Hold}, {}};
  if (const auto no = refusal(post, verdict, now)) {
    return {refuse(post, *no, WireEnd::Keep), {}};
  }
  if (verdict == KeyVerdict::Replay) {
    post.replay = true;
    return {converted_answer(post), {}};
  }
  book_.converting(post);
  const Duration latency = draw_latency(post);
  post.latency_us = std::chrono::duration_cast<std::chrono::microseconds>(latency).count();
  return {std::nullopt, latency};
}

Wire Service::finish(Post& post, TimePoint now) {
  book_.converted(post, now);
  if (options_.quota) --*options_.quota;
  return converted_answer(post);
}

std::optional<Service::Refusal> Service::refusal(const Post& post, KeyVerdict verdict,
                                                 TimePoint now) {
  if (!post.authorized) return Refusal{401, "unauthorized", "The API key is not valid.", {}};
  if (auto no = rate_refusal(now)) return no;
  if (post.target.empty())
    return Refusal{400, "missing_target", "The field target is missing.", {}};
  if (verdict == KeyVerdict::Mismatch) {
    return Refusal{422,
                   "idempotency_mismatch",
                   "This Idempotency-Key was used with another request body.",
                   {}};
  }
  if (verdict == KeyVerdict::InFlight) {
    return Refusal{409,
                   "idempotency_in_flight",
                   "A request with this Idempotency-Key is being processed.",
                   {}};
  }
  if (verdict == KeyVerdict::New && options_.quota && *options_.quota <= 0) {
    return Refusal{options_.quota_status, "quota_exceeded", "No conversions are left.", {}};
  }
  return std::nullopt;
}

std::optional<Service::Refusal> Service::rate_refusal(TimePoint now) {
  rate_headers_.clear();
  if (!options_.rate) return std::nullopt;
  const RateVerdict verdict = options_.rate->ask(now);
  const RateHeaders tell = options_.rate_headers;
  if (tell == RateHeaders::All || tell == RateHeaders::RateLimit) {
    rate_headers_ = {{"X-RateLimit-Limit", std::to_string(options_.rate->limit())},
                     {"X-RateLimit-Remaining", std::to_string(verdict.remaining)},
                     {"X-RateLimit-Reset", seconds_up(verdict.reset)}};
  }
  if (verdict.allowed) return std::nullopt;
  Refusal refusal{429, "rate_limited", "Too many requests.", {}};
  if (tell == RateHeaders::All || tell == RateHeaders::RetryAfter) {
    refusal.headers.emplace_back("Retry-After", seconds_up(verdict.reset));
  }
  return refusal;
}

Wire Service::refuse(Post& post, const Refusal& refusal, WireEnd end) {
  post.status = refusal.status;
  if (post.note.empty()) post.note = refusal.code;
  const std::string body = error_json(refusal.code, refusal.message);
  HeaderList headers = common_headers(post);
  headers.insert(headers.end(), refusal.headers.begin(), refusal.headers.end());
  headers.emplace_back("Content-Type", "application/json");
  headers.emplace_back("Content-Length", std::to_string(body.size()));
  if (end == WireEnd::Close) headers.emplace_back("Connection", "close");
  return {.bytes = render_head(refusal.status, headers) + body, .end = end};
}

// status=, early= and redirect= of the script.
Wire Service::scripted(Post& post, WireEnd end) {
  const Fault& fault = post.fault;
  const int status = std::atoi(fault.value.c_str());
  post.status = status;
  HeaderList headers = common_headers(post);
  headers.insert(headers.end(), fault.headers.begin(), fault.headers.end());
  if (const std::string after = fault.text("retry-after", ""); after.starts_with("date:")) {
    headers.emplace_back("Retry-After", http_date(std::atoll(after.c_str() + 5)));
  } else if (!after.empty()) {
    headers.emplace_back("Retry-After", with_blanks(after));
  }
  if (fault.kind == FaultKind::Redirect) headers.emplace_back("Location", fault.text("to", "/"));
  const std::string form = fault.text("body", "json");
  const std::string message = with_blanks(fault.text("message", "scripted fault"));
  std::string body = form == "json"   ? error_json(fault.text("code", "scripted"), message)
                     : form == "html" ? std::string(kHtml)
                     : form == "text" ? message
                                      : "";
  headers.emplace_back("Content-Type", form == "json" ? "application/json" : "text/html");
  if (status == 204 || status == 304) body.clear();
  if (status != 204) headers.emplace_back("Content-Length", std::to_string(body.size()));
  if (end == WireEnd::Close) headers.emplace_back("Connection", "close");
  return {.bytes = render_head(status, headers) + body, .end = end};
}

Wire Service::converted_answer(Post& post) {
  post.status = 200;
  const bool swap = post.fault.kind == FaultKind::Swap;
  const std::string other = last_sha256_.empty() ? std::string(64, '0') : last_sha256_;
  std::string body =
      make_fake_output(swap ? other : post.sha256, post.target, post.fields, options_.output_bytes);
  last_sha256_ = post.sha256;
  HeaderList headers = common_headers(post);
  headers.insert(headers.end(), post.fault.headers.begin(), post.fault.headers.end());
  if (post.replay) headers.emplace_back("Idempotency-Replayed", "true");
  if (post.fault.kind != FaultKind::None) {
    return faulty_answer(post, std::move(body), std::move(headers));
  }
  headers.emplace_back("Content-Type", media_type(post.target));
  headers.emplace_back("Content-Length", std::to_string(body.size()));
  return {.bytes = render_head(200, headers) + body};
}

// 200 with something wrong about its body or framing.
Wire Service::faulty_answer(Post& post, std::string body, HeaderList headers) {
  const Fault& fault = post.fault;
  std::string type(media_type(post.target));
  std::string framing = "length";
  Wire wire;
  std::size_t cut = std::string::npos;
  switch (fault.kind) {
    case FaultKind::CloseAfterUpload:
      post.status = 0;
      return {.bytes = {}, .end = WireEnd::Close};
    case FaultKind::Html:
      body = kHtml;
      type = "text/html";
      break;
    case FaultKind::Json:
      body = "{\"status\":\"ok\"}";
      type = "application/json";
      break;
    case FaultKind::Empty:
      body.clear();
      break;
    case FaultKind::Magic:
      body = "ok" + std::string(98, '.');
      break;
    case FaultKind::Partial:
      post.status = 206;
      break;
    case FaultKind::Chunked:
      framing = "chunked";
      break;
    case FaultKind::CloseDelimited:
      framing = "none";
      break;
    case FaultKind::Truncate:
      framing = fault.text("framing", "length");
      cut = static_cast<std::size_t>(std::strtod(fault.value.c_str(), nullptr) *
                                     static_cast<double>(body.size()));
      break;
    case FaultKind::Slow:
      wire.trickle_bytes = static_cast<std::size_t>(fault.number("bytes", 1));
      wire.trickle_every = std::chrono::milliseconds{static_cast<int>(fault.number("ms", 100))};
      break;
    case FaultKind::Endless:
      framing = "chunked";
      body.append(2048, '.');
      break;
    case FaultKind::BigHeaders:
      headers.emplace_back(
          "X-Big", std::string(static_cast<std::size_t>(fault.number("bytes", 200000)), 'x'));
      break;
    default:
      break;
  }
  // What is framed as whole ends no connection: the client may send on it already.
  if (cut != std::string::npos && framing != "short") wire.end = WireEnd::Close;
  if (framing == "none") wire.end = WireEnd::Close;
  const std::string sent = body.substr(0, cut);
  headers.emplace_back("Content-Type", type);
  if (framing == "chunked") headers.emplace_back("Transfer-Encoding", "chunked");
  if (framing == "length") headers.emplace_back("Content-Length", std::to_string(body.size()));
  if (framing == "short") headers.emplace_back("Content-Length", std::to_string(sent.size()));
  if (framing == "none") headers.emplace_back("Connection", "close");
  wire.bytes = render_head(post.status, headers);
  wire.bytes += framing == "chunked" ? chunked(sent) : sent;
  wire.endless = fault.kind == FaultKind::Endless;
  if (wire.endless)
    wire.bytes += chunk(std::string(1017, '.'));  // 3 + 2 + 1017 + 2 = 1024
  else if (framing == "chunked" && cut == std::string::npos)
    wire.bytes += "0\r\n\r\n";
  return wire;
}

Service::HeaderList Service::common_headers(const Post& post) const {
  const bool foreign = post.fault.kind == FaultKind::ForeignId;
  HeaderList headers{{"Date", http_date(0)},
                     {"X-Request-Id", foreign ? "another-request" : std::to_string(post.seq)}};
  if (!post.key.empty()) {
    headers.emplace_back("Idempotency-Key", foreign ? std::string(32, '0') : post.key);
  }
  if (options_.quota) headers.emplace_back("X-CTF-Remaining", std::to_string(*options_.quota));
  headers.insert(headers.end(), rate_headers_.begin(), rate_headers_.end());
  return headers;
}

Duration Service::draw_latency(const Post& post) {
  const LatencyRule& rule = options_.latency;
  double ms = rule.median_ms;
  if (rule.sigma > 0) {
    ms = std::lognormal_distribution<>(std::log(rule.median_ms), rule.sigma)(random_);
  }
  ms += rule.ms_per_mb * static_cast<double>(post.received) / 1e6;
  if (post.fault.kind == FaultKind::Delay) ms += post.fault.number("ms", 500);
  return std::chrono::microseconds{static_cast<std::int64_t>(ms * 1000)};
}

std::string Service::http_date(std::int64_t from_now) const {
  // One text a second serves every answer.
  static thread_local std::time_t cached = 0;
  static thread_local std::string cached_text;
  const std::time_t when = std::time(nullptr) + options_.date_offset + from_now;
  if (when == cached) return cached_text;
  const std::tm utc = *std::gmtime(&when);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  cached = when;
  return cached_text = text.data();
}

Wire Service::plain(int status, std::string_view message) {
  const std::string body(message);
  return {.bytes = render_head(status, {{"Content-Type", "application/json"},
                                        {"Content-Length", std::to_string(body.size())}}) +
                   body};
}

Wire Service::control(const RequestHead& head, const std::string& body) {
  if (head.path == "/_control/bill") {
    book_.flush();
    return plain(200, book_.summary_json());
  }
  if (head.path == "/_control/faults" && head.method == "POST") {
    auto script = FaultScript::parse(body, options_.seed);
    if (!script) return plain(400, error_json("bad_script", script.error().message));
    script_ = std::move(*script);
    script_base_ = posts_;
    return plain(200, "{}\n");
  }
  if (head.path == "/_control/latency" && head.method == "POST") {
    auto rule = LatencyRule::parse(body);
    if (!rule) return plain(400, error_json("bad_latency", body));
    rule->ms_per_mb = options_.latency.ms_per_mb;
    options_.latency = *rule;
    random_.seed(rule->seed);
    return plain(200, "{}\n");
  }
  if (head.path == "/_control/hold" && head.method == "POST") {
    held_ = body == "yes";
    return plain(200, "{}\n");
  }
  if (head.path == "/_control/quota" && head.method == "POST") {
    options_.quota = std::strtoll(body.c_str(), nullptr, 10);
    return plain(200, "{}\n");
  }
  if (head.path == "/_control/token" && head.method == "POST") {
    options_.token = body;
    return plain(200, "{}\n");
  }
  return plain(404, error_json("not_found", head.path));
}

}  // namespace millrace::test
