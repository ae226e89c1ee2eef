// One request on the network thread: its handle, its callbacks, its phase.
//
//   Connecting --connected--> Uploading --last byte handed over--> Thinking --first line-->
//   Downloading
//        |                        |  (no body: straight to Thinking)                            |
//        |                        +--a final answer came first-------------------------------->+
//        +------------------- done(), a deadline, or a cancel, from every phase --------------->
//        ended
//
// A connection that is found closed leaves the request in Connecting, for another one.
// All transitions are made by libcurl's callbacks, on the network thread.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "agent/transfer/answer_head.hpp"
#include "agent/transfer/curl_easy_handle.hpp"
#include "agent/transfer/exchange_state.hpp"
#include "agent/transfer/idle_connections.hpp"
#include "agent/transfer/transfer_error.hpp"

namespace millrace {

// What the network thread and its transfers share. Network thread only, but for the counters.
struct TransferContext {
  CurlOptions options;
  TimePoint now;                             // of this turn
  std::vector<ExchangeState*> closed_early;  // uploads to resume on the next turn, so that they end
  bool phase_changed = false;                // some deadline may lie earlier than it was known
  IdleConnections idle;
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> resumed{0};
};

class Transfer {
 public:
  static Result<std::unique_ptr<Transfer>> make(TransferContext& context, void* share);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Takes the next request; end() gives it back. In between the handle is in the multi handle.
  Result<void> begin(std::shared_ptr<ExchangeState> state);
  void end(std::optional<Error> error);
  // The end that libcurl reports. FoundClosed: the server had closed the connection before anything
  // was sent, libcurl has dropped it, and the handle is to be added once more for another one.
  enum class Done { Ended, FoundClosed };
  Done done(int code);
  // Asks libcurl to call the callbacks again.
  void unpause();

  void* easy() const { return easy_->get(); }
  // Ended by us before libcurl was done with it, perhaps amid a name lookup.
  bool may_be_resolving() const { return phase_ == Phase::Connecting && !reported_; }

  TimePoint deadline() const { return since_ + limit(); }
  Error timeout_error() const;

  std::size_t index = 0;  // place in the network thread's list

 private:
  explicit Transfer(TransferContext& context) : context_(context) {}
  static std::size_t on_read(char* to, std::size_t size, std::size_t count, void* self);
  static std::size_t on_header(char* line, std::size_t size, std::size_t count, void* self);
  static std::size_t on_write(char* bytes, std::size_t size, std::size_t count, void* self);
  static int on_connected(void* self, char*, char*, int, int);

  std::size_t read(std::span<std::byte> to);
  bool header(std::string_view line);
  bool final_head();
  std::size_t write(std::span<const std::byte> bytes);
  // False: the request must not go out on this connection, or not again.
  bool connected(ConnectionEnds ends);

  void enter(Phase phase);
  void moved(std::size_t bytes);
  Duration limit() const;
  Whereabouts whereabouts() const;
  std::optional<Error> result_of(int code) const;
  bool refuse(std::string why);  // records the error that explains an aborted transfer

  TransferContext& context_;
  std::optional<EasyHandle> easy_;
  std::shared_ptr<ExchangeState> state_;  // shared: worker and network may each end first
  AnswerHead head_;
  std::vector<std::byte> sending_;
  std::size_t sending_at_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::optional<std::uint64_t> declared_;
  ConnectionEnds ends_;        // of the last connection
  bool found_closed_ = false;  // that connection
  bool requested_ = false;     // on a connection, once
  bool head_complete_ = false;
  bool paused_ = false;  // by our own worker
  bool address_refused_ = false;
  bool reported_ = false;  // libcurl itself ended it
  std::optional<Error> refused_;
  Phase phase_ = Phase::Connecting;
  TimePoint since_;              // when the phase began or last moved
  std::size_t moved_bytes_ = 0;  // since then
  std::array<char, 256> error_text_{};
};

}  // namespace millrace
