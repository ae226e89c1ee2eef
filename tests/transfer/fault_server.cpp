#include "tests/transfer/fault_server.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "platform/base/native_path.hpp"
#include "tests/http/listening_socket.hpp"

namespace millrace::test {
namespace {

SSL_CTX* tls_context(const ServerTls& tls) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_security_level(context, 0);
  SSL_CTX_set_min_proto_version(context, tls.min_version);
  SSL_CTX_set_max_proto_version(context, tls.max_version);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("fault"), 5);
  if (SSL_CTX_use_certificate_chain_file(context, path_text(tls.certificate.certificate).c_str()) !=
          1 ||
      SSL_CTX_use_PrivateKey_file(context, path_text(tls.certificate.key).c_str(),
                                  SSL_FILETYPE_PEM) != 1)
    throw std::runtime_error("cannot use the certificate");
  return context;
}

// Is the peer's end of a connection on loopback established, with nothing to read? Wine shows the
// table too; where there is none it is taken for touched.
bool is_untouched_at_peer(const Ports& ports) {
  constexpr unsigned kEstablished = 1;
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    unsigned local = 0, remote = 0, state = 0, waiting = 0;
    if (std::sscanf(line.c_str(), " %*d: %*x:%x %*x:%x %x %*x:%x", &local, &remote, &state,
                    &waiting) == 4 &&
        local == ports.peer && remote == ports.own)
      return state == kEstablished && waiting == 0;
  }
  return false;
}

}  // namespace

std::string answer(std::string_view status, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

Connection::~Connection() {
  if (tls_) {
    SSL_shutdown(tls_);
    SSL_free(tls_);
  }
  if (socket_ != kNoSocket) close_socket(socket_, close_);
}

std::size_t Connection::receive(char* to, std::size_t size) {
  if (socket_ == kNoSocket) return 0;
  const std::ptrdiff_t n =
      tls_ ? SSL_read(tls_, to, static_cast<int>(size)) : receive_some(socket_, {to, size});
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

std::string Connection::read_head() {
  char chunk[16384];
  for (;;) {
    if (const auto end = buffered_.find("\r\n\r\n"); end != buffered_.npos) {
      head_ = buffered_.substr(0, end + 4);
      buffered_.erase(0, end + 4);
      return head_;
    }
    const std::size_t n = receive(chunk, sizeof chunk);
    if (n == 0) return {};
    buffered_.append(chunk, n);
  }
}

std::size_t Connection::read_body(std::size_t length) {
  char chunk[65536];
  std::size_t got = std::min(length, buffered_.size());
  buffered_.erase(0, got);
  while (got < length) {
    const std::size_t n = receive(chunk, std::min(sizeof chunk, length - got));
    if (n == 0) break;
    got += n;
  }
  return got;
}

bool Connection::read_request() {
  const std::string head = read_head();
  if (head.empty()) return false;
  const auto at = head.find("Content-Length: ");
  if (at == head.npos) return true;
  if (head.find("Expect: 100-continue") != head.npos) write("HTTP/1.1 100 Continue\r\n\r\n");
  const std::size_t length = std::stoul(head.substr(at + 16));
  return read_body(length) == length;
}

bool Connection::write(std::string_view text) {
  while (!text.empty()) {
    const std::ptrdiff_t n = tls_ ? SSL_write(tls_, text.data(), static_cast<int>(text.size()))
                                  : send_some(socket_, text);
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void Connection::reset() {
  close_ = Close::Reset;
  if (tls_) SSL_set_quiet_shutdown(tls_, 1);
}

void Connection::leave(Leaving how) {
  const Ports ports = ports_of(socket_);
  if (tls_) SSL_set_quiet_shutdown(tls_, how == Leaving::Fin || how == Leaving::Reset);
  if (how == Leaving::AnswerAndFin) write(answer("408 Request Timeout", ""));
  if (tls_) SSL_shutdown(tls_);
  if (how == Leaving::Reset) {
    socket_ = reset_now(socket_);
  } else if (how != Leaving::Notify) {
    end_sending(socket_);
  }
  while (is_untouched_at_peer(ports)) std::this_thread::yield();
}

void Connection::wait_for_close() {
  char chunk[4096];
  while (receive(chunk, sizeof chunk) > 0) {
  }
}

void Connection::unblock() { end_all_waits(socket_); }

FaultServer::FaultServer(Script script, std::optional<ServerTls> tls)
    : script_(std::move(script)),
      tls_(tls ? tls_context(*tls) : nullptr),
      is_tls_(tls_ != nullptr) {
  listener_ = listen_on_loopback(512, port_);
  acceptor_ = std::jthread([this] { accept_all(); });
}

void FaultServer::accept_all() {
  for (;;) {
    const std::intptr_t socket = accept_on(listener_);
    if (stopping_ && socket != kNoSocket) close_socket(socket, Close::InOrder);
    if (stopping_ || socket == kNoSocket) return;
    const int number = ++connections_;
    const std::scoped_lock lock(mutex_);
    threads_.emplace_back([this, socket, number] { serve(socket, number); });
  }
}

FaultServer::~FaultServer() {
  stopping_ = true;
  stop_listening(listener_);
  acceptor_.join();
  std::vector<std::jthread> threads;
  {
    const std::scoped_lock lock(mutex_);
    for (Connection* connection : open_) connection->unblock();
    threads.swap(threads_);
  }
  threads.clear();
  close_socket(listener_, Close::InOrder);
  if (tls_) SSL_CTX_free(tls_);
}

std::string FaultServer::url(std::string_view path) const {
  return (is_tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_) +
         std::string(path);
}

void FaultServer::swap_certificate(const ServerTls& tls) {
  SSL_CTX* const fresh = tls_context(tls);
  const std::scoped_lock lock(mutex_);
  SSL_CTX_free(std::exchange(tls_, fresh));
}

void FaultServer::serve(std::intptr_t socket, int number) {
  SSL* tls = nullptr;
  if (is_tls_) {
    const std::scoped_lock lock(mutex_);
    tls = SSL_new(tls_);
    SSL_set_fd(tls, static_cast<int>(socket));
  }
  Connection connection{socket, tls};
  connection.number = number;
  {
    const std::scoped_lock lock(mutex_);
    open_.push_back(&connection);
    if (stopping_) connection.unblock();
  }
  if (!tls || SSL_accept(tls) == 1) script_(connection);
  const std::scoped_lock lock(mutex_);
  std::erase(open_, &connection);
}

DeafPort::DeafPort() {
  listener_ = listen_on_loopback(0, port_);
  for (int i = 0; i < 4; ++i) fillers_.push_back(begin_to_connect(port_));
}

DeafPort::~DeafPort() {
  for (const std::intptr_t socket : fillers_) close_socket(socket, Close::InOrder);
  close_socket(listener_, Close::InOrder);
}

std::string DeafPort::url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

}  // namespace millrace::test
