// One connection to the stand-in API: bytes in, requests out, answers in, bytes out. No system call
// here, so that every split of the input can be tested.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tests/api_server/request.hpp"
#include "tests/api_server/service.hpp"

namespace millrace::test {

class Connection {
 public:
  Connection(Service& service, std::uint64_t number) : service_(service), number_(number) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void received(std::string_view bytes, TimePoint now);
  // When the loop must call tick(): a conversion is ready, or the next drop of a trickle.
  std::optional<TimePoint> wake() const { return wake_; }
  void tick(TimePoint now);

  bool wants_input() const { return !stalled_ && !closing_ && in_.size() < kMostBuffered; }
  std::string_view output() const;  // what may be written now
  void written(std::size_t bytes, TimePoint now);
  // The client has gone. A conversion under way goes on (tick() bills it).
  void gone() { gone_ = true; }
  bool converting() const { return converting_; }
  std::optional<WireEnd> end() const;  // Close or Reset once everything was written

 private:
  enum class Step { Head, Body, Answer };
  static constexpr std::size_t kMostBuffered = 1 << 20;

  void advance(TimePoint now);
  bool read_head(TimePoint now);
  bool read_body(TimePoint now);
  bool fault_while_reading(TimePoint now);
  void body_complete(TimePoint now);
  void answer(Wire wire, TimePoint now);
  void finish_request();

  Service& service_;
  const std::uint64_t number_;
  Step step_ = Step::Head;
  std::string in_;
  RequestHead head_;
  std::unique_ptr<BodyReader> body_;
  std::string control_body_;
  std::uint64_t body_left_ = 0;
  std::optional<Post> post_;
  Wire wire_;
  std::string interim_;  // 100 Continue
  std::size_t written_ = 0;
  std::size_t allowed_ = 0;  // by a trickle
  std::optional<TimePoint> wake_;
  bool converting_ = false, stalled_ = false, gone_ = false, closing_ = false;
  bool discarding_ = false;  // an early answer is out, the rest of the body does not matter
  WireEnd end_ = WireEnd::Keep;
};

}  // namespace millrace::test
