// An idempotent conversion API in memory, which outlives every power cut of its customer and keeps
// the book: what was billed under which key.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "agent/convert/converter.hpp"
#include "agent/convert/idempotency_key.hpp"
#include "platform/base/sha256.hpp"
#include "tests/support/power.hpp"

namespace millrace::test {

// What the API makes of these bytes; tells what it was made from.
inline std::string result_of(const std::string& content_sha256, const std::string& target) {
  return target + " of " + content_sha256 + std::string(3'000, '.') + "end";
}

struct Book {
  std::map<std::string, std::string> billed;  // key -> SHA-256 of the bytes
  int posts = 0;                              // complete requests
  int replays = 0;
  int mismatches = 0;  // a key that came with other bytes
  bool refuses = false;
  int answers_cut_short = 0;  // that many of the next answers end in their middle
  // What happens while the request is on its way, and between the bill and the answer.
  std::function<void()> before_sent = [] {};
  std::function<void()> after_billed = [] {};
  std::function<void()> in_mid_answer = [] {};
};

class TextBody final : public DigestedSource {
 public:
  TextBody(std::string text, bool whole, const std::function<void()>& in_the_middle)
      : text_(std::move(text)), whole_(whole), in_the_middle_(in_the_middle) {}
  // In pieces, so that there is a middle to be cut off in.
  Result<std::size_t> read(std::span<std::byte> into) override {
    if (at_ > 0) in_the_middle_();
    if (at_ > 0 && !whole_) return fail(ErrorKind::Transient, "the answer was cut short");
    const std::size_t n = std::min({into.size(), text_.size() - at_, std::size_t{1'500}});
    std::memcpy(into.data(), text_.data() + at_, n);
    at_ += n;
    return n;
  }
  std::string take_sha256() override { return to_hex(sha256(text_)); }

 private:
  const std::string text_;
  const bool whole_;
  const std::function<void()>& in_the_middle_;
  std::size_t at_ = 0;
};

// The customer's side: what it sends needs power as well, and so does hearing the answer.
class BookedConverter final : public Converter {
 public:
  BookedConverter(Book& book, Power& power) : book_(book), power_(power) {}

  const std::string& account() const override { return account_; }
  std::string key_for(const std::string& content_sha256, const std::string& target,
                      const ConvertOptions& options) const override {
    return make_idempotency_key(account_, content_sha256, target, options);
  }

  ConvertReply convert(const ConvertRequest& request, Payload& payload, std::stop_token) override {
    ConvertReply reply{fail(ErrorKind::Transient, "no answer"), verdict(), {}, 0, 0, false};
    if (!power_.spend()) return reply;
    book_.before_sent();
    // As the real one: a request is completed only if the file has held still.
    if (auto same = payload.reader().check_unchanged(); !same) {
      reply.artifact = std::unexpected(same.error());
      return reply;
    }
    if (const auto refused = held_back(request)) {
      reply.artifact = std::unexpected(*refused);
      return reply;
    }
    const bool accepted = post(request.key, payload.sha256());
    reply.whole_request_sent = true;
    reply.bytes_sent = payload.size();
    if (!power_.spend()) return reply;
    if (!accepted) {
      reply.http_status = 422;
      reply.artifact = fail(ErrorKind::Input, "it is no picture");
      return reply;
    }
    reply.http_status = 200;
    const bool whole = book_.answers_cut_short-- <= 0;
    auto body = std::make_unique<TextBody>(result_of(payload.sha256(), request.target), whole,
                                           book_.in_mid_answer);
    reply.artifact = Artifact{"", {}, std::move(body)};
    return reply;
  }

 private:
  // Waits until the request may be sent; why it may not.
  static std::optional<Error> held_back(const ConvertRequest& request) {
    const auto asked = std::make_shared<std::promise<std::optional<Error>>>();
    auto answer = asked->get_future();
    request.before_sending(
        [asked](std::optional<Error> refused) { asked->set_value(std::move(refused)); });
    return answer.get();
  }

  static std::shared_ptr<const AnswerVerdict> verdict() {
    return std::make_shared<const AnswerVerdict>();
  }

  bool post(const std::string& key, const std::string& content) {
    ++book_.posts;
    if (book_.refuses) return false;
    const auto [bill, is_new] = book_.billed.emplace(key, content);
    if (!is_new) ++book_.replays;
    if (bill->second != content) ++book_.mismatches;
    book_.after_billed();
    return true;
  }

  Book& book_;
  Power& power_;
  const std::string account_ = "account";
};

}  // namespace millrace::test
