#include "platform/http/wire_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::string_view kTokenSigns = "!#$%&'*+-.^_`|~";

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kTokenSigns.find(c) != std::string_view::npos;
  });
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return is_control(c) && c != '\t'; });
}

enum class Plus { Sign, Blank };

std::optional<std::string> decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus == Plus::Blank) c = ' ';
    if (c == '%') {
      unsigned value = 0;
      if (i + 2 >= text.size()) return std::nullopt;
      const char* first = text.data() + i + 1;
      if (std::from_chars(first, first + 2, value, 16).ptr != first + 2) return std::nullopt;
      c = static_cast<char>(value);
      i += 2;
    }
    if (c == '\0') return std::nullopt;
    out += c;
  }
  return out;
}

bool leads_elsewhere(std::string_view path) {
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part == "." || part == "..") return true;
    begin = end + 1;
  }
  return false;
}

Result<std::string> decode_path(std::string_view raw) {
  const auto bad = [](const char* why) { return fail(ErrorKind::Input, why); };
  if (raw.empty() || raw.front() != '/') return bad("the target must begin with a slash");
  if (to_lower_ascii(raw).find("%2f") != std::string::npos) return bad("an escaped slash");
  auto path = decode(raw, Plus::Sign);
  if (!path) return bad("a bad escape in the path");
  if (std::any_of(path->begin(), path->end(), is_control)) return bad("a control character");
  if (path->find('\\') != std::string::npos) return bad("a backslash in the path");
  if (leads_elsewhere(*path)) return bad("a dot as a part of the path");
  return std::move(*path);
}

Result<TextPairs> decode_query(std::string_view raw) {
  TextPairs pairs;
  for (std::size_t begin = 0; begin < raw.size();) {
    const std::size_t end = std::min(raw.find('&', begin), raw.size());
    const std::string_view pair = raw.substr(begin, end - begin);
    begin = end + 1;
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = decode(pair.substr(0, equals), Plus::Blank);
    auto value = decode(pair.substr(std::min(equals + 1, pair.size())), Plus::Blank);
    if (!name || !value) return fail(ErrorKind::Input, "a bad escape in the query");
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return pairs;
}

struct Reason {
  int status;
  std::string_view text;
};
constexpr Reason kReasons[] = {
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {507, "Insufficient Storage"},
};

std::string_view reason_of(int status) {
  for (const Reason& row : kReasons)
    if (row.status == status) return row.text;
  return "Status";
}

void add_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

Result<RequestTarget> parse_target(std::string_view raw) {
  const std::size_t mark = std::min(raw.find('?'), raw.size());
  auto path = decode_path(raw.substr(0, mark));
  if (!path) return std::unexpected(path.error());
  auto query = decode_query(raw.substr(std::min(mark + 1, raw.size())));
  if (!query) return std::unexpected(query.error());
  return RequestTarget{std::move(*path), std::move(*query)};
}

Result<void> check_framing(const TextPairs& headers, bool http_1_1) {
  const auto bad = [](const char* why) { return fail(ErrorKind::Input, why); };
  int lengths = 0, codings = 0, hosts = 0;
  for (const auto& [name, value] : headers) {
    if (name == "host") ++hosts;
    if (name == "transfer-encoding") {
      ++codings;
      if (to_lower_ascii(value) != "chunked") return bad("a transfer coding other than chunked");
    }
    if (name == "content-length") {
      ++lengths;
      const bool digits =
          std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (value.empty() || !digits) return bad("a content length that is no number");
    }
    if (!is_field_value(value)) return bad("a control character in a field");
  }
  if (lengths + codings > 1) return bad("more than one length of the body");
  if (codings > 0 && !http_1_1) return bad("a transfer coding in HTTP/1.0");
  if (hosts > 1 || (hosts == 0 && http_1_1)) return bad("there must be one Host field");
  return {};
}

std::string response_head(const ServerResponse& response, AnswerFrame frame, WallTime now) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + ' ';
  head.append(reason_of(response.status)).append("\r\n");
  add_field(head, "Date", http_date(now));
  if (is_field_value(response.content_type) && !response.content_type.empty())
    add_field(head, "Content-Type", response.content_type);
  for (const auto& [name, value] : response.headers) {
    const std::string lower = to_lower_ascii(name);
    if (lower == "content-length" || lower == "connection" || lower == "transfer-encoding")
      continue;
    if (is_token(name) && is_field_value(value)) add_field(head, name, value);
  }
  if (response.status != 204 && response.status != 304)
    add_field(head, "Content-Length", std::to_string(frame.length));
  add_field(head, "Connection", frame.close ? "close" : "keep-alive");
  return head + "\r\n";
}

std::string http_date(WallTime t) {
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(t - day)};
  char text[64];
  const int size = std::snprintf(
      text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT",
      kDays.at(std::chrono::weekday{day}.c_encoding()), static_cast<unsigned>(date.day()),
      kMonths.at(static_cast<unsigned>(date.month()) - 1), static_cast<int>(date.year()),
      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count()));
  return {text, static_cast<std::size_t>(size)};
}

Result<HostPort> parse_host_port(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorKind::Configuration,
                "`" + printable(text) + "` is no address; write 127.0.0.1:8650 or [::1]:8650");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  HostPort out;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return bad();
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();
  }
  out.host = host == "localhost" ? "127.0.0.1" : host;
  if (out.host.empty()) return bad();
  return out;
}

}  // namespace millrace
