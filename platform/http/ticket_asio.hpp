// How an answer finds its way from any thread to its connection. Included by sources of this unit
// only.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <utility>

#include "platform/base/mutex.hpp"
#include "platform/http/server.hpp"

namespace millrace {

// The way from any thread to the server's; closed before the io_context goes.
class Mailbox {
 public:
  explicit Mailbox(boost::asio::io_context& io) : io_(&io) {}
  template <typename F>
  void post(F&& work) {
    const MutexLock lock(mutex_);
    if (io_ != nullptr) boost::asio::post(*io_, std::forward<F>(work));
  }
  void close() {
    const MutexLock lock(mutex_);
    io_ = nullptr;
  }

 private:
  Mutex mutex_;
  boost::asio::io_context* io_ GUARDED_BY(mutex_);
};

// One client, as its server sees it. On the server's thread only.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  virtual ~Connection() = default;
  virtual void start() = 0;
  virtual void deliver(ServerResponse response) = 0;
  virtual void close_unless_answering() = 0;
  virtual void close() = 0;
};

// One request's right to an answer: used once, and a 500 if it is dropped.
class Ticket {
 public:
  Ticket(std::shared_ptr<Mailbox> mailbox, std::weak_ptr<Connection> to)
      : mailbox_(std::move(mailbox)), to_(std::move(to)) {}
  ~Ticket() { answer(error_response(500, "internal", "the request was dropped")); }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  void answer(ServerResponse response) {
    if (used_.exchange(true)) return;
    mailbox_->post([to = to_, response = std::move(response)]() mutable {
      if (auto connection = to.lock()) connection->deliver(std::move(response));
    });
  }

 private:
  std::shared_ptr<Mailbox> mailbox_;
  std::weak_ptr<Connection> to_;
  std::atomic<bool> used_{false};  // Respond may be called from several threads at once
};

}  // namespace millrace
