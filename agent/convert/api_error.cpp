#include "agent/convert/api_error.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "agent/convert/json_strings.hpp"
#include "agent/convert/link_query.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

using std::chrono::seconds;
constexpr Duration kShortestWait = seconds{1};
constexpr Duration kLongestWait = std::chrono::hours{1};
constexpr std::size_t kLongestText = 500;

struct StatusRow {
  int from, to;
  ErrorKind with_own_error;     // the body is the API's own error
  ErrorKind without_own_error;  // somebody else answered
};
using enum ErrorKind;
// The first row that fits decides; refine() handles what depends on more than the status.
constexpr auto kStatuses = std::to_array<StatusRow>({
    {100, 299, Transient, Transient},
    {300, 399, Configuration, Configuration},
    {400, 400, Input, Configuration},
    {401, 401, Configuration, Configuration},
    {402, 402, Quota, Quota},
    {403, 405, Configuration, Configuration},
    {407, 407, Unreachable, Unreachable},
    {408, 408, Transient, Transient},
    {409, 409, Busy, Busy},
    {410, 410, Configuration, Configuration},
    {417, 417, Transient, Transient},
    {425, 425, Transient, Transient},
    {429, 429, Rate, Rate},
    {406, 499, Input, Configuration},
    {500, 599, Transient, Transient},
});

ErrorKind kind_of_status(int status, bool own) {
  for (const StatusRow& row : kStatuses) {
    if (status >= row.from && status <= row.to) {
      return own ? row.with_own_error : row.without_own_error;
    }
  }
  return Transient;
}

ErrorKind refine(int status, const std::optional<ApiError>& own,
                 const std::optional<Duration>& retry_after) {
  const std::string code = own ? to_lower_ascii(own->code) : "";
  if (status == 429 && code == "quota_exceeded") return Quota;
  if (status == 422 && code.find("idempotency") != std::string::npos) return Defect;
  if (status == 503 && retry_after) return Rate;
  return kind_of_status(status, own.has_value());
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    return text.starts_with('-') ? INT64_MIN : INT64_MAX;
  }
  return value;
}

std::optional<std::int64_t> number(const HttpHead& head, std::string_view name) {
  const auto text = head.header(name);
  const auto value = text ? whole_number(*text) : std::nullopt;
  return value && *value >= 0 ? value : std::nullopt;
}

WallTime time_of_answer(const HttpHead& head, WallTime now) {
  const auto date = head.header("date");
  return (date ? parse_http_date(*date) : std::nullopt).value_or(now);
}

// Some services count seconds, some name a moment since 1970.
std::optional<Duration> reset_of(const HttpHead& head, std::string_view name, WallTime now) {
  const auto value = number(head, name);
  constexpr std::int64_t kSurelyAMoment = 1'000'000'000;
  if (!value) return std::nullopt;
  if (*value < kSurelyAMoment) return seconds{*value};
  const std::int64_t today = to_unix_ms(time_of_answer(head, now)) / 1000;
  constexpr std::int64_t kYear = 366 * 86400;
  return seconds{std::clamp<std::int64_t>(*value - today, 0, kYear)};
}

std::optional<int> month_of(std::string_view name) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto at = name.size() == 3 ? kMonths.find(name) : std::string_view::npos;
  if (at == std::string_view::npos || at % 3 != 0) return std::nullopt;
  return static_cast<int>(at / 3) + 1;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(" -,"), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

}  // namespace

std::optional<ApiError> parse_api_error(std::string_view body) {
  const auto code = json_string_at(body, {"error", "code"});
  if (!code || code->empty()) return std::nullopt;
  const auto message = json_string_at(body, {"error", "message"});
  return ApiError{printable(without_queries(*code), 100),
                  printable(without_queries(message.value_or("")), kLongestText)};
}

std::optional<WallTime> parse_http_date(std::string_view text) {
  auto words = words_of(text);
  if (words.size() < 5) return std::nullopt;
  // asctime: `Sun Nov  6 08:49:37 1994`; the others: `Sun, 06 Nov 1994 08:49:37 GMT`.
  const bool asctime = month_of(words[1]).has_value();
  if (asctime) words = {words[0], words[2], words[1], words[4], words[3]};
  const auto day = whole_number(words[1]), year_read = whole_number(words[3]);
  const auto month = month_of(words[2]);
  const std::string_view clock = words[4];
  if (!day || !year_read || !month || clock.size() != 8) return std::nullopt;
  const auto h = whole_number(clock.substr(0, 2)), m = whole_number(clock.substr(3, 2)),
             s = whole_number(clock.substr(6, 2));
  if (!h || !m || !s || *h < 0 || *h > 23 || *m < 0 || *m > 59 || *s < 0 || *s > 60) {
    return std::nullopt;
  }
  const std::int64_t year =
      words[3].size() == 2 ? *year_read + (*year_read < 70 ? 2000 : 1900) : *year_read;
  if (year < 1900 || year > 9999 || *day < 1 || *day > 31) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(year)},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  // The system clock counts nanoseconds and ends in 2262; a later date is as good as its end.
  const auto since = std::chrono::sys_days{date}.time_since_epoch();
  constexpr auto kEnd = std::chrono::days{106000};
  return WallTime{std::min<std::chrono::days>(since, kEnd) + std::chrono::hours{*h} +
                  std::chrono::minutes{*m} + seconds{*s}};
}

std::optional<Duration> parse_retry_after(const HttpHead& head, WallTime now) {
  const auto text = head.header("retry-after");
  if (!text) return std::nullopt;
  Duration wait{0};
  if (const auto count = whole_number(*text)) {
    wait = seconds{std::clamp<std::int64_t>(*count, 0, 3600)};
  } else if (const auto date = parse_http_date(*text)) {
    wait = std::chrono::duration_cast<Duration>(*date - time_of_answer(head, now));
  } else {
    return std::nullopt;
  }
  return std::clamp(wait, kShortestWait, kLongestWait);
}

RateNews parse_rate_news(const HttpHead& head, WallTime now) {
  return {.quota_remaining = number(head, "x-ctf-remaining"),
          .quota_limit = number(head, "x-ctf-limit"),
          .window_remaining = number(head, "x-ratelimit-remaining"),
          .window_limit = number(head, "x-ratelimit-limit"),
          .window_reset = reset_of(head, "x-ratelimit-reset", now)};
}

Error error_of_answer(const HttpHead& head, const std::optional<ApiError>& own, WallTime now) {
  const auto retry_after = parse_retry_after(head, now);
  Error error;
  error.kind = refine(head.status, own, retry_after);
  error.message = "the API answered " + std::to_string(head.status);
  if (own) {
    error.message += ' ' + own->code;
    if (!own->message.empty()) error.message += ": " + own->message;
  }
  if (const auto to = head.header("location"); to && head.status / 100 == 3) {
    error.message += " to " + printable(without_queries(*to), 200);
  }
  if (retry_after) {
    error.retry_after = std::chrono::duration_cast<std::chrono::milliseconds>(*retry_after);
  }
  return error;
}

bool is_success(int status) { return status == 200 || status == 201 || status == 203; }

}  // namespace millrace
