#include "agent/s3/iso_time.hpp"

#include <charconv>

namespace millrace {
namespace {

// The digits at `at`, all of them, or -1.
int digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = -1;
  const char* const from = text.data() + at;
  const auto [end, error] = std::from_chars(from, from + count, value);
  return error == std::errc{} && end == from + count ? value : -1;
}

}  // namespace

std::optional<WallTime> parse_iso_time(std::string_view text) {
  static constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd";
  if (text.size() <= kForm.size() || !text.ends_with('Z')) return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool fits = kForm[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == kForm[i];
    if (!fits) return std::nullopt;
  }
  const std::string_view rest = text.substr(kForm.size(), text.size() - kForm.size() - 1);
  if (!rest.empty() && (rest[0] != '.' || rest.find_first_not_of("0123456789", 1) != rest.npos))
    return std::nullopt;
  const std::chrono::year_month_day day{
      std::chrono::year{digits(text, 0, 4)},
      std::chrono::month{static_cast<unsigned>(digits(text, 5, 2))},
      std::chrono::day{static_cast<unsigned>(digits(text, 8, 2))}};
  const int hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  // The system clock counts nanoseconds and ends in 2262.
  const bool in_range =
      day.year() >= std::chrono::year{1970} && day.year() < std::chrono::year{2262};
  if (!day.ok() || !in_range || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return WallTime{std::chrono::sys_days{day} + std::chrono::hours{hour} +
                  std::chrono::minutes{minute} + std::chrono::seconds{second}};
}

}  // namespace millrace
