#include "agent/download/answer_rules.hpp"

#include <charconv>

#include "agent/transfer/answer_times.hpp"

namespace millrace {
namespace {

// Takes a number off the front of `text`.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Error error_of_answer(const HttpHead& head, std::string_view host, WallTime now) {
  Error error{ErrorKind::Input,
              std::string(host) + " answers with status " + std::to_string(head.status),
              0,
              {}};
  const auto wait = parse_retry_after(head, now);
  if (wait) error.retry_after = std::chrono::duration_cast<std::chrono::milliseconds>(*wait);
  if (head.status == 429 || (head.status == 503 && wait))
    error.kind = ErrorKind::Rate;
  else if (head.status >= 500 || head.status == 408 || head.status == 425)
    error.kind = ErrorKind::Transient;
  return error;
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  ContentRange range;
  if (!take(text, "bytes ")) return std::nullopt;
  const auto first = take_number(text);
  if (!first || !take(text, "-")) return std::nullopt;
  const auto last = take_number(text);
  if (!last || *last < *first || !take(text, "/")) return std::nullopt;
  range.first = *first;
  range.last = *last;
  if (text == "*") return range;
  range.total = take_number(text);
  if (!range.total || !text.empty() || *range.total <= range.last) return std::nullopt;
  return range;
}

std::string validator_of(std::string_view etag, std::string_view last_modified) {
  return std::string(etag.starts_with('"') ? etag : last_modified);
}

bool has_strong_validator(const HttpHead& head) {
  if (head.header("etag").value_or("").starts_with('"')) return true;
  const auto changed = parse_http_date(head.header("last-modified").value_or(""));
  const auto answered = parse_http_date(head.header("date").value_or(""));
  return changed && answered && *answered - *changed >= std::chrono::minutes{1};
}

}  // namespace millrace
