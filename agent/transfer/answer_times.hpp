// Times and numbers in the head of an answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/transfer/http_client.hpp"

namespace millrace {

// A whole number with spaces around it, cut to what an int64 holds; nothing for any other text.
std::optional<std::int64_t> signed_number(std::string_view text);

// IMF-fixdate, RFC 850 and asctime dates (RFC 9110 5.6.7), UTC.
std::optional<WallTime> parse_http_date(std::string_view text);

// The answer's own Date, else `now`.
WallTime time_of_answer(const HttpHead& head, WallTime now);

// Retry-After (RFC 9110 10.2.3): seconds, or an HTTP-date that is compared with the answer's own
// Date, else with `now`. Clamped to 1 s .. 1 h; nothing if absent or unreadable.
std::optional<Duration> parse_retry_after(const HttpHead& head, WallTime now);

}  // namespace millrace
