// The network thread: one multi handle, one share handle, every transfer.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "agent/transfer/curl_transfer.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {

class CurlNetwork {
 public:
  static Result<std::unique_ptr<CurlNetwork>> start(CurlOptions options);
  ~CurlNetwork();  // ends every exchange with Stopped, joins

  // From any thread; never blocks. Start or Poke, as ExchangeState told its caller.
  void tell(ExchangeState::Tell what, const std::shared_ptr<ExchangeState>& state) EXCLUDES(mutex_);
  HttpClient::Counters counters() const;

 private:
  struct Command {
    ExchangeState::Tell what;
    std::shared_ptr<ExchangeState> state;
  };

  CurlNetwork() = default;
  bool open();
  void close();
  void run();
  bool obey_commands() EXCLUDES(mutex_);
  void begin(const std::shared_ptr<ExchangeState>& state);
  void poke(ExchangeState& state);
  void collect_finished();
  void start_again(Transfer& transfer);
  void resume_closed_uploads();
  void check_deadlines();
  bool may_sleep() EXCLUDES(mutex_);
  int sleep_ms() const;
  Transfer* free_transfer(std::optional<Error>& error);
  void remove(Transfer& transfer);

  // The network thread's own.
  void* multi_ = nullptr;
  void* share_ = nullptr;
  bool lookup_abandoned_ = false;
  TransferContext context_;
  std::vector<std::unique_ptr<Transfer>> active_;
  std::vector<std::unique_ptr<Transfer>> free_;
  std::vector<Command> batch_;
  TimePoint next_check_ = TimePoint::max();

  Mutex mutex_;
  std::vector<Command> commands_ GUARDED_BY(mutex_);
  bool asleep_ GUARDED_BY(mutex_) = false;  // a wakeup is needed
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::atomic<std::uint64_t> requests_{0};  // a counter that stands alone

  std::jthread thread_;
};

}  // namespace millrace
