#include "agent/transfer/answer_times.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

namespace millrace {
namespace {

using std::chrono::seconds;
constexpr Duration kShortestWait = seconds{1};
constexpr Duration kLongestWait = std::chrono::hours{1};

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

std::optional<std::int64_t> signed_number(std::string_view text) {
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

std::optional<WallTime> parse_http_date(std::string_view text) {
  auto words = words_of(text);
  if (words.size() < 5) return std::nullopt;
  // asctime: `Sun Nov  6 08:49:37 1994`; the others: `Sun, 06 Nov 1994 08:49:37 GMT`.
  const bool asctime = month_of(words[1]).has_value();
  if (asctime) words = {words[0], words[2], words[1], words[4], words[3]};
  const auto day = signed_number(words[1]), year_read = signed_number(words[3]);
  const auto month = month_of(words[2]);
  const std::string_view clock = words[4];
  if (!day || !year_read || !month || clock.size() != 8) return std::nullopt;
  const auto h = signed_number(clock.substr(0, 2)), m = signed_number(clock.substr(3, 2)),
             s = signed_number(clock.substr(6, 2));
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

WallTime time_of_answer(const HttpHead& head, WallTime now) {
  const auto date = head.header("date");
  return (date ? parse_http_date(*date) : std::nullopt).value_or(now);
}

std::optional<Duration> parse_retry_after(const HttpHead& head, WallTime now) {
  const auto text = head.header("retry-after");
  if (!text) return std::nullopt;
  Duration wait{0};
  if (const auto count = signed_number(*text)) {
    wait = seconds{std::clamp<std::int64_t>(*count, 0, 3600)};
  } else if (const auto date = parse_http_date(*text)) {
    wait = std::chrono::duration_cast<Duration>(*date - time_of_answer(head, now));
  } else {
    return std::nullopt;
  }
  return std::clamp(wait, kShortestWait, kLongestWait);
}

}  // namespace millrace
