// A server on loopback whose every connection runs a script, so that each fault is made on purpose.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/http/raw_socket.hpp"
#include "tests/transfer/test_certificates.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace millrace::test {

// How a server leaves a connection that idles.
enum class Leaving {
  NotifyAndFin,  // close_notify (TLS only) and FIN, as nginx does
  Notify,        // close_notify alone
  Fin,
  Reset,
  AnswerAndFin,  // an answer that nobody asked for before the end, as with 408
};

// One accepted connection, used by its script's thread. After the peer or the server ended it,
// reads give nothing and writes do nothing.
class Connection {
 public:
  Connection(std::intptr_t socket, ssl_st* tls) : socket_(socket), tls_(tls) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Up to and with the empty line; empty if the peer closed instead.
  std::string read_head();
  std::size_t read_body(std::size_t length);  // how much came
  // Head, and the body that Content-Length declares (asked for with 100 where the peer waits for
  // it); false if the peer closed before its end.
  bool read_request();
  bool write(std::string_view text);
  void reset();             // an RST instead of a FIN
  void leave(Leaving how);  // returns when it has arrived at the peer
  void wait_for_close();
  void unblock();  // from another thread: ends every wait

  int number = 0;  // 1 for the first connection of the server
  const std::string& head() const { return head_; }

 private:
  std::size_t receive(char* to, std::size_t size);
  std::atomic<std::intptr_t> socket_;  // unblock() reads it
  Close close_ = Close::InOrder;
  ssl_st* tls_;
  std::string buffered_;
  std::string head_;
};

struct ServerTls {
  Certificate certificate;
  int min_version = 0;  // as SSL_CTX_set_min_proto_version takes it
  int max_version = 0;
};

class FaultServer {
 public:
  using Script = std::function<void(Connection&)>;
  explicit FaultServer(Script script, std::optional<ServerTls> tls = std::nullopt);
  FaultServer(Script script, const std::filesystem::path& unix_socket);  // not on Windows
  ~FaultServer();

  int port() const { return port_; }
  std::string url(std::string_view path = "/v1/convert") const;
  int connections() const { return connections_; }
  // Connections made from now on see this certificate and, as with a server that was started anew,
  // find no session to resume.
  void swap_certificate(const ServerTls& tls);
  std::atomic<int> requests{0};  // for scripts to count whole requests

 private:
  void accept_all();
  void serve(std::intptr_t socket, int number);

  Script script_;
  ssl_ctx_st* tls_ = nullptr;  // under mutex_ once the server runs
  std::intptr_t listener_ = kNoSocket;
  int port_ = 0;
  const bool is_tls_;
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::vector<Connection*> open_;
  std::atomic<bool> stopping_{false};  // read by the acceptor without the mutex
  std::vector<std::jthread> threads_;
  std::jthread acceptor_;
};

// A listening socket whose queue is full, so that a connect to it gets no answer.
class DeafPort {
 public:
  DeafPort();
  ~DeafPort();
  std::string url() const;

 private:
  std::intptr_t listener_ = kNoSocket;
  int port_ = 0;
  std::vector<std::intptr_t> fillers_;
};

std::string answer(std::string_view status, std::string_view body);

}  // namespace millrace::test
