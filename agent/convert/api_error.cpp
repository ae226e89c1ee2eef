#include "agent/convert/api_error.hpp"

#include <algorithm>
#include <array>

#include "agent/convert/json_strings.hpp"
#include "agent/convert/link_query.hpp"
#include "agent/transfer/answer_times.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

using std::chrono::seconds;
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
  // Of a link: the fault is the network's, the store's or the service's, never the file's.
  if (status == 422 && code == "fetch_failed") return Transient;
  if (status == 422 && code == "file_url_disabled") return Configuration;
  return kind_of_status(status, own.has_value());
}

std::optional<std::int64_t> number(const HttpHead& head, std::string_view name) {
  const auto text = head.header(name);
  const auto value = text ? signed_number(*text) : std::nullopt;
  return value && *value >= 0 ? value : std::nullopt;
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

}  // namespace

std::optional<ApiError> parse_api_error(std::string_view body) {
  const auto code = json_string_at(body, {"error", "code"});
  if (!code || code->empty()) return std::nullopt;
  const auto message = json_string_at(body, {"error", "message"});
  return ApiError{printable(without_queries(*code), 100),
                  printable(without_queries(message.value_or("")), kLongestText)};
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
