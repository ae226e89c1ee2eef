#include "agent/transfer/exchange_state.hpp"

#include <algorithm>
#include <utility>

namespace millrace {

ExchangeState::ExchangeState(HttpRequest asked, Target checked)
    : request(std::move(asked)), target(std::move(checked)) {}

ExchangeState::Tell ExchangeState::submit() {
  if (submitted_) return Tell::Nothing;
  submitted_ = true;
  return Tell::Start;
}

void ExchangeState::wait(MutexLock& lock, Wait what) {
  waits_ = what;
  changed_.wait(lock);
  waits_ = Wait::No;
}

Error ExchangeState::why_ended() const {
  if (error_) return *error_;
  if (cancelled_) return Error{ErrorKind::Stopped, "the exchange was stopped", 0, {}};
  return Error{ErrorKind::Transient, "the exchange ended without an answer", 0, {}};
}

ExchangeState::Tell ExchangeState::begin() {
  const MutexLock lock(mutex_);
  return request.body_length == 0 ? submit() : Tell::Nothing;
}

Result<ExchangeState::Pushed> ExchangeState::push(std::span<const std::byte> bytes) {
  const bool whole = request.body_length <= kWholeBody;
  const std::size_t room = whole ? static_cast<std::size_t>(request.body_length) : kBuffer;
  MutexLock lock(mutex_);
  if (bytes.size() > request.body_length - pushed_)
    return fail(ErrorKind::Defect, "more body than was declared");
  while (up_.size() >= room && !finished_ && !cancelled_ && !upload_closed_)
    wait(lock, Wait::ForRoom);
  if (upload_closed_ || (finished_ && head_seen_)) return Pushed{0, Keep::Enough, Tell::Nothing};
  if (finished_ || cancelled_) return std::unexpected(why_ended());

  if (up_.capacity() < room && up_.empty()) up_.reserve(whole ? room : kBuffer);
  const std::size_t taken = std::min(bytes.size(), room - up_.size());
  up_.insert(up_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
  pushed_ += taken;
  Pushed pushed{taken, Keep::Going, Tell::Nothing};
  if (!whole || pushed_ == request.body_length) pushed.tell = submit();
  if (pushed.tell == Tell::Nothing && std::exchange(upload_paused_, false))
    pushed.tell = Tell::Poke;
  return pushed;
}

// A reader is woken for the whole answer or for a good piece of it, never for each packet.
bool ExchangeState::has_much() const {
  return finished_ || download_paused_ || down_.size() >= kWakeAt;
}

Result<HttpHead> ExchangeState::head() {
  MutexLock lock(mutex_);
  if (!upload_closed_ && !finished_ && pushed_ < request.body_length)
    return fail(ErrorKind::Defect, "head() before the whole body was sent");
  while (!(head_ && has_much()) && !finished_ && !cancelled_) wait(lock, Wait::ForAnswer);
  if (!head_) return std::unexpected(why_ended());
  return *head_;
}

Result<ExchangeState::Tell> ExchangeState::take(std::vector<std::byte>& into) {
  MutexLock lock(mutex_);
  while (!has_much() && !cancelled_) wait(lock, Wait::ForAnswer);
  if (down_.empty()) {
    if (error_ || !finished_) return std::unexpected(why_ended());
    return Tell::Nothing;
  }
  down_.swap(into);
  return std::exchange(download_paused_, false) && !finished_ ? Tell::Poke : Tell::Nothing;
}

ExchangeState::Tell ExchangeState::cancel() {
  const MutexLock lock(mutex_);
  return stop();
}

ExchangeState::Tell ExchangeState::cancel_upload() {
  const MutexLock lock(mutex_);
  return progress().whole_request_sent ? Tell::Nothing : stop();
}

ExchangeState::Tell ExchangeState::stop() {
  if (std::exchange(cancelled_, true)) return Tell::Nothing;
  changed_.notify_all();
  return submitted_ && !finished_ ? Tell::Poke : Tell::Nothing;
}

HttpExchange::Progress ExchangeState::progress() const {
  HttpExchange::Progress progress;
  progress.body_sent = sent_.load(std::memory_order_relaxed);
  progress.connected = connected_.load(std::memory_order_relaxed);
  progress.whole_request_sent = progress.connected && progress.body_sent == request.body_length;
  return progress;
}

bool ExchangeState::cancelled() {
  const MutexLock lock(mutex_);
  return cancelled_;
}

bool ExchangeState::pull(std::vector<std::byte>& into) {
  const MutexLock lock(mutex_);
  if (up_.empty()) {
    upload_paused_ = true;
    return false;
  }
  up_.swap(into);
  if (waits_ == Wait::ForRoom) changed_.notify_one();
  return true;
}

bool ExchangeState::note_sent(std::uint64_t body_sent) {
  const MutexLock lock(mutex_);
  if (!cancelled_) sent_.store(body_sent, std::memory_order_relaxed);
  return !cancelled_;
}

void ExchangeState::answer(HttpHead head) {
  const MutexLock lock(mutex_);
  if (head.length)
    down_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*head.length, kBuffer)));
  head_ = std::move(head);
  head_seen_ = true;
}

void ExchangeState::close_upload() {
  const MutexLock lock(mutex_);
  upload_closed_ = true;
  if (waits_ == Wait::ForRoom) changed_.notify_one();
}

// Is it now that on_answer is to be called?
bool ExchangeState::is_answer() {
  return request.on_answer && (finished_ || (head_ && has_much())) && !std::exchange(told_, true);
}

bool ExchangeState::append(std::span<const std::byte> bytes) {
  bool fits = false, answer = false;
  {
    const MutexLock lock(mutex_);
    fits = down_.empty() || down_.size() + bytes.size() <= kBuffer;
    if (fits)
      down_.insert(down_.end(), bytes.begin(), bytes.end());
    else
      download_paused_ = true;
    if (waits_ == Wait::ForAnswer && has_much()) changed_.notify_one();
    answer = is_answer();
  }
  if (answer) request.on_answer(Arrival::Begun);
  return fits;
}

void ExchangeState::finish(std::optional<Error> error) {
  bool wake = false, answer = false;
  {
    const MutexLock lock(mutex_);
    if (std::exchange(finished_, true)) return;
    error_ = std::move(error);
    wake = waits_ != Wait::No;
    answer = is_answer();
  }
  // Without the lock, so that the woken worker does not sleep again on it.
  if (wake) changed_.notify_one();
  if (answer) request.on_answer(Arrival::Whole);
}

}  // namespace millrace
