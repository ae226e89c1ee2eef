// What the head of an answer to a download means. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/transfer/http_client.hpp"

namespace millrace {

bool is_redirect(int status);

// Of a status that is neither 2xx, 304 nor a redirect. Input: asking again changes nothing; Rate:
// 429, and 503 with Retry-After; Transient: every other trouble of the server (408, 425, 5xx).
Error error_of_answer(const HttpHead& head, std::string_view host, WallTime now);

// "bytes 100-199/200" (RFC 9110 14.4).
struct ContentRange {
  std::uint64_t first = 0, last = 0;
  std::optional<std::uint64_t> total;
};
std::optional<ContentRange> parse_content_range(std::string_view text);

// What If-Range may ask with: a strong ETag, else Last-Modified (RFC 9110 13.1.5); empty if the
// answer has neither, and then nothing of it can be resumed.
std::string validator_of(std::string_view etag, std::string_view last_modified);
// Whether that validator names these bytes and no others: every strong ETag, and a Last-Modified
// that was a minute old when the answer was made (RFC 9110 8.8.2.2).
bool has_strong_validator(const HttpHead& head);

}  // namespace millrace
