#include "agent/transfer/curl_transfer.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cstring>

namespace millrace {
namespace {

static_assert(CURL_ERROR_SIZE <= 256);

// A body that drips one byte a second must not live for ever: less than this is no progress.
constexpr std::size_t kProgressBytes = 1024;
constexpr std::uint64_t kDefaultMaxAnswer = std::uint64_t{4} << 30;

const bool kTellsEndOfStream = curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000;

Transfer* itself(void* self) { return static_cast<Transfer*>(self); }

}  // namespace

Result<std::unique_ptr<Transfer>> Transfer::make(TransferContext& context, void* share) {
  std::unique_ptr<Transfer> transfer{new Transfer(context)};
  EasyCallbacks callbacks;
  callbacks.self = transfer.get();
  callbacks.read = &Transfer::on_read;
  callbacks.header = &Transfer::on_header;
  callbacks.write = &Transfer::on_write;
  callbacks.connected = &Transfer::on_connected;
  callbacks.error_text = transfer->error_text_.data();
  callbacks.address_refused = &transfer->address_refused_;
  auto easy = EasyHandle::make(context.options, share, callbacks);
  if (!easy) return std::unexpected(easy.error());
  transfer->easy_.emplace(std::move(*easy));
  return transfer;
}

Result<void> Transfer::begin(std::shared_ptr<ExchangeState> state) {
  auto prepared = easy_->prepare(state->request, state->target, context_.options.ca_file);
  if (!prepared) return prepared;
  state_ = std::move(state);
  state_->transfer = this;
  head_.reset();
  sending_.clear();
  sending_at_ = 0;
  sent_ = received_ = 0;
  declared_.reset();
  found_closed_ = requested_ = head_complete_ = paused_ = reported_ = address_refused_ = false;
  refused_.reset();
  error_text_[0] = '\0';
  enter(Phase::Connecting);
  return {};
}

void Transfer::end(std::optional<Error> error) {
  // An answer of the declared length is whole, however the connection ended afterwards.
  const bool whole = head_complete_ && declared_ == received_;
  if (whole && !refused_) error.reset();
  std::erase(context_.closed_early, state_.get());
  state_->transfer = nullptr;
  state_->finish(std::move(error));
  state_.reset();
  if (sending_.capacity() > ExchangeState::kBuffer) sending_ = {};
}

Transfer::Done Transfer::done(int code) {
  if (std::exchange(found_closed_, false)) {
    error_text_[0] = '\0';
    return Done::FoundClosed;
  }
  reported_ = true;
  if (const auto socket = easy_->idle_socket()) context_.idle.add(ends_, *socket);
  end(result_of(code));
  return Done::Ended;
}

std::optional<Error> Transfer::result_of(int code) const {
  if (refused_) return refused_;
  if (code == CURLE_OK) return std::nullopt;
  if (code == CURLE_OPERATION_TIMEDOUT) return timeout_error();
  if (code == CURLE_COULDNT_CONNECT && address_refused_)
    return Error{ErrorKind::Configuration,
                 state_->target.host + " has no address in the public internet",
                 0,
                 {}};
  return error_of_code(code, whereabouts(), error_text_.data());
}

void Transfer::unpause() {
  if (std::exchange(paused_, false)) enter(phase_);
  curl_easy_pause(easy(), CURLPAUSE_CONT);
}

std::size_t Transfer::on_read(char* to, std::size_t size, std::size_t count, void* self) {
  return itself(self)->read({reinterpret_cast<std::byte*>(to), size * count});
}
std::size_t Transfer::on_header(char* line, std::size_t size, std::size_t count, void* self) {
  return itself(self)->header({line, size * count}) ? size * count : 0;
}
std::size_t Transfer::on_write(char* bytes, std::size_t size, std::size_t count, void* self) {
  return itself(self)->write({reinterpret_cast<const std::byte*>(bytes), size * count});
}
int Transfer::on_connected(void* self, char* peer, char* local, int peer_port, int local_port) {
  return itself(self)->connected({local, peer, local_port, peer_port}) ? CURL_PREREQFUNC_OK
                                                                       : CURL_PREREQFUNC_ABORT;
}

bool Transfer::connected(ConnectionEnds ends) {
  ends_ = std::move(ends);
  // What has arrived on a connection of HTTP/2 may be of another request.
  const bool http11 = context_.options.version == HttpVersion::Http11;
  if (http11 && !requested_ && !easy_->is_new_connection() && context_.idle.ended(ends_)) {
    found_closed_ = true;
    return false;
  }
  // libcurl comes here again when it is about to repeat the request by itself: a reused connection
  // died after the head alone, where no rewind asks us. Only what bills nothing may be repeated,
  // and what was refused for its Expect (417) before a byte of its body left.
  const std::string& method = state_->request.method;
  const bool harmless = method == "GET" || method == "HEAD" || head_.status() == 417;
  if (std::exchange(requested_, true) && !harmless) {
    refused_ = error_of_code(CURLE_SEND_FAIL_REWIND, whereabouts(), {});
    return false;
  }
  state_->note_connected();
  if (easy_->is_new_connection()) {
    context_.connections.fetch_add(1, std::memory_order_relaxed);
    if (easy_->is_resumed()) context_.resumed.fetch_add(1, std::memory_order_relaxed);
  }
  enter(sent_ < state_->request.body_length ? Phase::Uploading : Phase::Thinking);
  return true;
}

std::size_t Transfer::read(std::span<std::byte> to) {
  if (sent_ == state_->request.body_length) return 0;
  if (sending_at_ == sending_.size()) {
    sending_.clear();
    sending_at_ = 0;
    if (!state_->pull(sending_)) {
      paused_ = true;
      enter(phase_);
      return CURL_READFUNC_PAUSE;
    }
  }
  const std::size_t n = std::min(to.size(), sending_.size() - sending_at_);
  if (!state_->note_sent(sent_ + n)) return CURL_READFUNC_PAUSE;  // a Poke is coming and ends it
  std::memcpy(to.data(), sending_.data() + sending_at_, n);
  sending_at_ += n;
  sent_ += n;
  if (sent_ == state_->request.body_length)
    enter(head_complete_ ? Phase::Downloading : Phase::Thinking);
  else
    moved(n);
  return n;
}

bool Transfer::header(std::string_view line) {
  switch (head_.add(line)) {
    case AnswerHead::Line::TooMuch:
      return refuse("the head of the answer is too large");
    case AnswerHead::Line::Final:
      return final_head();
    case AnswerHead::Line::Interim:
    case AnswerHead::Line::Trailer:
      return true;
    case AnswerHead::Line::More:
      break;
  }
  if (head_.status() >= 200 && phase_ == Phase::Thinking) enter(Phase::Downloading);
  moved(line.size());
  return true;
}

bool Transfer::final_head() {
  const HttpRequest& request = state_->request;
  const bool upload_open = sent_ < request.body_length;
  // libcurl asks again without Expect by itself; no byte of the body has left us yet.
  if (head_.status() == 417 && upload_open && sent_ == 0) return true;

  head_complete_ = true;
  const bool http2 = head_.is_http2();
  HttpHead head = head_.take(request.method);
  // The end of a stream is a frame of its own; libcurl before 8.0 does not tell it from a stream
  // that was cut off.
  if (http2 && kTellsEndOfStream) head.framed = true;
  if (http2 && context_.options.on_multiplexed)
    context_.options.on_multiplexed(state_->target.host);
  const int status = head.status;
  declared_ = request.method == "HEAD" ? std::nullopt : head.length;
  const std::uint64_t cap = request.max_answer ? request.max_answer : kDefaultMaxAnswer;
  const bool too_large = declared_ > cap;
  state_->answer(std::move(head));
  if (too_large) return refuse("the answer is larger than " + std::to_string(cap) + " bytes");
  if (upload_open && status >= 300) {
    state_->close_upload();
    // A paused upload does not end by itself, and callbacks must not resume it.
    context_.closed_early.push_back(state_.get());
    enter(Phase::Downloading);
  }
  return true;
}

std::size_t Transfer::write(std::span<const std::byte> bytes) {
  const std::uint64_t asked = state_->request.max_answer;
  const std::uint64_t cap = asked ? asked : kDefaultMaxAnswer;
  if (bytes.size() > cap - std::min(received_, cap)) {
    refuse("the answer is larger than " + std::to_string(cap) + " bytes");
    return 0;
  }
  if (!state_->append(bytes)) {
    paused_ = true;
    enter(phase_);
    return CURL_WRITEFUNC_PAUSE;
  }
  received_ += bytes.size();
  moved(bytes.size());
  return bytes.size();
}

bool Transfer::refuse(std::string why) {
  refused_ = Error{ErrorKind::Transient, state_->target.host + ": " + std::move(why), 0, {}};
  return false;
}

void Transfer::enter(Phase phase) {
  phase_ = phase;
  since_ = context_.now;
  moved_bytes_ = 0;
  context_.phase_changed = true;
}

void Transfer::moved(std::size_t bytes) {
  moved_bytes_ += bytes;
  // The limit of thinking is not moved by anything but the answer.
  if (moved_bytes_ < kProgressBytes || phase_ == Phase::Thinking) return;
  moved_bytes_ = 0;
  since_ = context_.now;
}

Duration Transfer::limit() const {
  const HttpTimeouts& timeouts = state_->request.timeouts;
  if (paused_) return timeouts.stall;
  if (phase_ == Phase::Connecting) return timeouts.connect;
  return phase_ == Phase::Thinking ? timeouts.thinking : timeouts.stall;
}

Whereabouts Transfer::whereabouts() const {
  const std::string& asked = state_->request.ca_file;
  return {state_->target.host, asked.empty() ? context_.options.ca_file : asked, phase_};
}

Error Transfer::timeout_error() const {
  return error_of_timeout(whereabouts(), paused_ ? Waiting::ForUs : Waiting::ForThem, limit());
}

}  // namespace millrace
