#include "agent/convert/answer_body.hpp"

#include <algorithm>
#include <cstring>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::uint64_t kMostDrained = 64ull << 20;

bool says(const HttpHead& head, std::string_view media_type) {
  const auto type = head.header("content-type");
  return type && to_lower_ascii(*type).starts_with(media_type);
}

}  // namespace

AnswerBody::AnswerBody(std::unique_ptr<HttpExchange> exchange, const HttpHead& head,
                       const FormatMarks& marks, std::shared_ptr<AnswerVerdict> verdict)
    : exchange_(std::move(exchange)),
      marks_(marks),
      verdict_(std::move(verdict)),
      length_(head.length) {}

Result<std::unique_ptr<AnswerBody>> AnswerBody::open(std::unique_ptr<HttpExchange> exchange,
                                                     const HttpHead& head,
                                                     const std::string& target,
                                                     std::shared_ptr<AnswerVerdict> verdict) {
  std::unique_ptr<AnswerBody> body(
      new AnswerBody(std::move(exchange), head, marks_of(target), std::move(verdict)));
  if (auto read = body->read_first(); !read) return std::unexpected(read.error());
  if (const std::string doubt = body->doubt_about_first(head); !doubt.empty()) {
    return body->drain_and_doubt(doubt);
  }
  return body;
}

Result<void> AnswerBody::read_first() {
  std::vector<std::byte> buffer(kFirstBytes);
  while (!at_end_ && first_.size() < kFirstBytes) {
    const auto got = pull(std::span(buffer).first(kFirstBytes - first_.size()));
    if (!got) return std::unexpected(got.error());
    first_.append(reinterpret_cast<const char*>(buffer.data()), *got);
  }
  return {};
}

std::string AnswerBody::doubt_about_first(const HttpHead& head) const {
  // Without a declared end, a connection that breaks looks like an answer that is over.
  if (!head.framed) return "has no declared length";
  if (first_.empty()) return "is empty";
  const bool wants_html = marks_.media_type == "text/html";
  const bool wants_json = marks_.media_type == "application/json";
  if (!wants_html && says(head, "text/html")) return "is a web page";
  if (!wants_json && says(head, "application/json")) return "is JSON";
  if (!marks_.begins(first_)) {
    if (looks_like_html(first_)) return "is a web page";
    if (looks_like_json(first_)) return "is JSON";
    return "does not begin as " + std::string(marks_.target.empty() ? "a file" : marks_.target) +
           " does";
  }
  return {};
}

// The whole of it is read, so that equal nonsense can be told from changing nonsense.
std::unexpected<Error> AnswerBody::drain_and_doubt(std::string why) {
  std::vector<std::byte> buffer(64 * 1024);
  while (!at_end_ && size_ < kMostDrained) {
    if (const auto got = pull(buffer); !got) {
      return fail(ErrorKind::Transient, "the answer " + why + ", and broke off");
    }
  }
  return unbelievable(std::move(why));
}

std::unexpected<Error> AnswerBody::unbelievable(std::string why) {
  verdict_->bad_sha256 = to_hex(hash_.finish());
  failed_ = Error{ErrorKind::Transient,
                  "the answer of " + std::to_string(size_) + " bytes " + std::move(why),
                  0,
                  {}};
  return std::unexpected(*failed_);
}

Result<std::size_t> AnswerBody::pull(std::span<std::byte> into) {
  const auto got = exchange_->read(into);
  if (!got) {
    failed_ = got.error();
    return got;
  }
  if (*got == 0) {
    at_end_ = true;
    return 0;
  }
  const auto part = std::span<const std::byte>(into).first(*got);
  size_ += *got;
  hash_.update(part);
  if (marks_.ends != nullptr) {
    const auto end = part.last(std::min(part.size(), marks_.tail));
    last_.append(reinterpret_cast<const char*>(end.data()), end.size());
    if (last_.size() > 2 * marks_.tail + 4096) last_.erase(0, last_.size() - marks_.tail);
  }
  return *got;
}

Result<std::size_t> AnswerBody::read(std::span<std::byte> into) {
  if (failed_) return std::unexpected(*failed_);
  if (handed_on_ < first_.size()) {
    const std::size_t part = std::min(into.size(), first_.size() - handed_on_);
    std::memcpy(into.data(), first_.data() + handed_on_, part);
    handed_on_ += part;
    return part + read_on(into.subspan(part));
  }
  if (!at_end_) {
    const auto got = pull(into);
    if (!got || *got > 0) return got;
  }
  return end();
}

// Joined to the first bytes, so that a small answer is written in one piece. What ends the answer
// is told by the next read().
std::size_t AnswerBody::read_on(std::span<std::byte> into) {
  if (into.empty() || at_end_) return 0;
  return pull(into).value_or(0);
}

Result<std::size_t> AnswerBody::end() {
  if (length_ && *length_ != size_) {
    failed_ = Error{ErrorKind::Transient,
                    "the answer ended after " + std::to_string(size_) + " of " +
                        std::to_string(*length_) + " bytes",
                    0,
                    {}};
    return std::unexpected(*failed_);
  }
  if (marks_.ends != nullptr && !marks_.ends(last_, first_, size_)) {
    return unbelievable("does not end as " + std::string(marks_.target) + " does");
  }
  return 0;
}

}  // namespace millrace
