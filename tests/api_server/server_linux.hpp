// The sockets of the stand-in API: one thread, one epoll, HTTP/1.1 with keep-alive and pipelining.
#pragma once

#include <memory>

#include "platform/base/result.hpp"
#include "tests/api_server/options.hpp"
#include "tests/api_server/service.hpp"

namespace millrace::test {

class Server {
 public:
  // Listens before it returns. Environment if that is not possible.
  static Result<std::unique_ptr<Server>> listen(const ServerOptions& options, Service service);
  ~Server();

  int port() const;
  void run();  // until SIGTERM or SIGINT; then writes what is open into the bill book

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::test
