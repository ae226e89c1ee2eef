#include "tests/api_server/connection.hpp"

#include <algorithm>

namespace millrace::test {
namespace {
constexpr std::size_t kLongestHead = 256 * 1024;
constexpr std::size_t kEndlessPart = 1024;
}  // namespace

Connection::~Connection() {
  if (post_) finish_request();
}

void Connection::received(std::string_view bytes, TimePoint now) {
  if (discarding_) return;
  in_ += bytes;
  advance(now);
}

void Connection::advance(TimePoint now) {
  while (!closing_ && !stalled_ && !gone_) {
    const bool more = step_ == Step::Head   ? read_head(now)
                      : step_ == Step::Body ? read_body(now)
                                            : false;
    if (!more) return;
  }
}

bool Connection::read_head(TimePoint now) {
  const auto end = in_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (in_.size() > kLongestHead) closing_ = true, end_ = WireEnd::Close;
    return false;
  }
  auto head = parse_head(std::string_view(in_).substr(0, end + 4));
  in_.erase(0, end + 4);
  if (!head) {
    answer(Service::plain(400, "{}"), now);
    end_ = WireEnd::Close;
    return false;
  }
  head_ = std::move(*head);
  body_left_ = head_.length;
  control_body_.clear();
  step_ = Step::Body;
  if (head_.method == "POST" && !head_.path.starts_with("/_control/")) {
    post_ = service_.begin(head_, number_);
    body_ = std::make_unique<BodyReader>(head_);
    if (fault_while_reading(now)) return false;
  }
  if (head_.expects_continue && !(post_ && post_->fault.kind == FaultKind::NoContinue)) {
    interim_ += "HTTP/1.1 100 Continue\r\n\r\n";
  }
  return true;
}

bool Connection::read_body(TimePoint now) {
  const std::size_t take = std::min<std::uint64_t>(in_.size(), body_left_);
  const auto bytes = std::string_view(in_).substr(0, take);
  if (post_) {
    body_->feed(bytes);
    post_->received += take;
  } else if (control_body_.size() + take <= kMostBuffered) {
    control_body_ += bytes;
  }
  in_.erase(0, take);
  body_left_ -= take;
  if (post_ && fault_while_reading(now)) return false;
  if (body_left_ > 0) return false;
  step_ = Step::Answer;
  if (post_)
    body_complete(now);
  else if (head_.path.starts_with("/_control/"))
    answer(service_.control(head_, control_body_), now);
  else
    answer(Service::plain(404, "{\"error\":{\"code\":\"not_found\",\"message\":\"\"}}"), now);
  return step_ == Step::Head;
}

// Faults that strike while the body is still coming.
bool Connection::fault_while_reading(TimePoint now) {
  const Fault& fault = post_->fault;
  const double share = fault.number("at", fault.kind == FaultKind::StallUpload ? 0.5 : 0);
  const bool reached =
      static_cast<double>(post_->received) >= share * static_cast<double>(post_->declared);
  if (fault.kind == FaultKind::Reset && reached) {
    closing_ = true;
    end_ = WireEnd::Reset;
    return true;
  }
  if (fault.kind == FaultKind::StallUpload && reached) return stalled_ = true;
  if (auto early = service_.early_answer(*post_); early && body_left_ > 0) {
    answer(std::move(*early), now);
    discarding_ = true;
    in_.clear();
    return true;
  }
  return false;
}

void Connection::body_complete(TimePoint now) {
  post_->sha256 = body_->finish_hash();
  post_->file_name = body_->file_name();
  for (const auto& [name, value] : body_->fields()) {
    if (name == "target")
      post_->target = value;
    else if (name == "file_url")
      post_->sha256 = to_hex(sha256(value.substr(0, value.find('?'))));
    else
      post_->fields[name] = value;
  }
  if (!body_->frame_complete()) {
    post_->note += " broken frame";
    post_->status = 400;
    answer(Service::plain(400,
                          "{\"error\":{\"code\":\"bad_frame\",\"message\":\"The multipart body "
                          "is not complete.\"}}"),
           now);
    return;
  }
  Admission admission = service_.admit(*post_, now);
  if (admission.answer) {
    answer(std::move(*admission.answer), now);
    return;
  }
  converting_ = true;
  wake_ = now + admission.conversion;
  if (admission.conversion <= Duration{0} && !service_.is_held()) tick(now);
}

void Connection::tick(TimePoint now) {
  if (!wake_ || now < *wake_) return;
  wake_.reset();
  if (discarding_) {
    closing_ = true;
    return;
  }
  if (converting_) {
    converting_ = false;
    Wire wire = service_.finish(*post_, now);
    if (gone_) post_->note += " client gone";
    answer(std::move(wire), now);
    return;
  }
  allowed_ += wire_.trickle_bytes;
  if (allowed_ < wire_.bytes.size()) wake_ = now + wire_.trickle_every;
}

void Connection::answer(Wire wire, TimePoint now) {
  step_ = Step::Answer;
  wire_ = std::move(wire);
  written_ = 0;
  allowed_ = wire_.trickle_bytes > 0 ? 0 : wire_.bytes.size();
  end_ = wire_.end;
  if (wire_.trickle_bytes > 0) wake_ = now + wire_.trickle_every;
  if (wire_.bytes.empty() && end_ != WireEnd::Hold) closing_ = true;
}

std::string_view Connection::output() const {
  if (!interim_.empty()) return interim_;
  return std::string_view(wire_.bytes).substr(written_, allowed_ - std::min(allowed_, written_));
}

void Connection::written(std::size_t bytes, TimePoint now) {
  if (!interim_.empty()) {
    interim_.erase(0, bytes);
    return;
  }
  written_ += bytes;
  if (written_ < wire_.bytes.size()) return;
  if (wire_.endless) {
    written_ = wire_.bytes.size() - kEndlessPart;
    return;
  }
  if (post_ && end_ != WireEnd::Hold) finish_request();
  if (discarding_) {
    // To close with input unread would reset the connection, and the client might never see the
    // early answer.
    wake_ = now + std::chrono::seconds{2};
    return;
  }
  if (end_ != WireEnd::Keep) {
    closing_ = true;
    return;
  }
  wire_ = {};
  written_ = allowed_ = 0;
  step_ = Step::Head;
  advance(now);
}

void Connection::finish_request() {
  if (post_->sha256.empty() && body_ && post_->received > 0) post_->sha256 = body_->finish_hash();
  service_.ended(*post_);
  post_.reset();
  body_.reset();
}

std::optional<WireEnd> Connection::end() const {
  if (!closing_ || !output().empty()) return std::nullopt;
  return end_ == WireEnd::Hold ? std::nullopt : std::optional(end_);
}

}  // namespace millrace::test
