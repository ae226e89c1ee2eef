#include "agent/transfer/answer_head.hpp"

#include <charconv>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

int status_in(std::string_view line) {
  const auto space = line.find(' ');
  if (space == line.npos) return 0;
  return static_cast<int>(whole_number(line.substr(space + 1, 3)).value_or(0));
}

bool has_no_body(int status, std::string_view method) {
  return method == "HEAD" || status == 204 || status == 304;
}

// RFC 9112 6.3: chunked outranks Content-Length; two lengths that differ frame nothing.
void note_framing(HttpHead& head, std::string_view method) {
  bool chunked = false;
  bool contradiction = false;
  for (const auto& [name, value] : head.headers) {
    if (name == "transfer-encoding") chunked |= to_lower_ascii(value).ends_with("chunked");
    if (name != "content-length") continue;
    const auto length = whole_number(value);
    contradiction |= !length || (head.length && head.length != length);
    head.length = length;
  }
  if (chunked || contradiction) head.length.reset();
  head.framed = chunked || head.length.has_value() || has_no_body(head.status, method);
}

}  // namespace

AnswerHead::Line AnswerHead::add(std::string_view line) {
  bytes_ += line.size();
  lines_ += 1;
  if (bytes_ > kMaxBytes || lines_ > kMaxLines) return Line::TooMuch;
  if (line.starts_with("HTTP/")) {
    head_ = {};
    complete_ = false;
    http2_ = line.starts_with("HTTP/2");
    head_.status = status_in(line);
    return Line::More;
  }
  if (complete_) return Line::Trailer;
  const std::string_view text = trimmed(line);
  if (!text.empty()) {
    add_field(line);
    return Line::More;
  }
  complete_ = true;
  return head_.status < 200 ? Line::Interim : Line::Final;
}

void AnswerHead::add_field(std::string_view line) {
  const bool folded = line.starts_with(' ') || line.starts_with('\t');
  if (folded && !head_.headers.empty()) {
    head_.headers.back().second.append(" ").append(trimmed(line));
    return;
  }
  const auto colon = line.find(':');
  if (colon == line.npos) return;
  head_.headers.emplace_back(to_lower_ascii(trimmed(line.substr(0, colon))),
                             trimmed(line.substr(colon + 1)));
}

HttpHead AnswerHead::take(std::string_view method) {
  note_framing(head_, method);
  HttpHead out = std::move(head_);
  head_ = {};
  return out;
}

}  // namespace millrace
