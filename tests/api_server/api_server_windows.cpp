#include "tests/api_server/api_server.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "tests/api_server/connection.hpp"
#include "tests/api_server/options.hpp"
#include "tests/api_server/service.hpp"
#include "tests/http/listening_socket.hpp"

namespace millrace::test {

// One thread a connection. The service knows of one thread, so that all take turns at it.
struct ApiServer::Running {
  explicit Running(Service s) : service(std::move(s)) {
    listener = listen_on_loopback(512, port);
    acceptor = std::jthread([this] { accept_all(); });
  }
  ~Running() {
    stopping = true;
    stop_listening(listener);
    acceptor.join();
    std::vector<std::jthread> last;
    {
      const std::scoped_lock lock(mutex);
      for (const std::intptr_t socket : open) end_all_waits(socket);
      last.swap(threads);
    }
    last.clear();
    close_socket(listener, Close::InOrder);
  }

  void accept_all() {
    for (;;) {
      const std::intptr_t socket = accept_on(listener);
      if (stopping && socket != kNoSocket) close_socket(socket, Close::InOrder);
      if (stopping || socket == kNoSocket) return;
      const std::scoped_lock lock(mutex);
      open.insert(socket);
      service.book().connection_accepted();
      threads.emplace_back(
          [this, socket, number = service.book().connections()] { serve(socket, number); });
    }
  }

  void serve(std::intptr_t socket, std::uint64_t number);
  void close(std::intptr_t socket, std::optional<WireEnd> end);

  std::mutex mutex;
  Service service;
  std::set<std::intptr_t> open;
  std::vector<std::jthread> threads;
  std::intptr_t listener = kNoSocket;
  int port = 0;
  std::atomic<bool> stopping{false};
  std::jthread acceptor;
};

namespace {

constexpr std::chrono::milliseconds kTurn{20};  // how soon the end of the server is noticed
constexpr std::size_t kPiece = 256 * 1024;

TimePoint now() { return std::chrono::steady_clock::now(); }

// What a connection wants next, copied out so that nobody waits for a socket under the lock.
struct Wish {
  std::string output;
  std::optional<WireEnd> end;
  std::chrono::milliseconds patience{kTurn};
  bool input = false, converting = false;
};

Wish wish_of(Connection& connection) {
  if (connection.wake() && *connection.wake() <= now()) connection.tick(now());
  Wish wish;
  wish.output = connection.output().substr(0, kPiece);
  wish.end = connection.end();
  wish.input = connection.wants_input();
  wish.converting = connection.converting();
  if (const auto wake = connection.wake()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*wake - now());
    wish.patience = std::clamp(left, std::chrono::milliseconds{0}, kTurn);
  }
  return wish;
}

}  // namespace

void ApiServer::Running::serve(std::intptr_t socket, std::uint64_t number) {
  std::vector<char> buffer(kPiece);
  std::unique_lock lock(mutex);
  Connection connection(service, number);
  for (bool there = true; !stopping;) {
    const Wish wish = wish_of(connection);
    const bool over = wish.output.empty() && (wish.end || (!there && !wish.converting));
    if (over) break;
    lock.unlock();
    std::ptrdiff_t sent = 0, received = 0;
    const bool sends = there && !wish.output.empty();
    bool reads = false;
    if (sends) {
      sent = send_some(socket, wish.output);
    } else if (there && wish.input) {
      reads = wait_for_input(socket, wish.patience);
      if (reads) received = receive_some(socket, buffer);
    } else {
      // Nothing is to be sent or read until then; the connection itself says for how long.
      std::this_thread::sleep_for(wish.patience);
    }
    lock.lock();
    if (sent > 0) connection.written(static_cast<std::size_t>(sent), now());
    if (received > 0)
      connection.received({buffer.data(), static_cast<std::size_t>(received)}, now());
    if ((sends && sent <= 0) || (reads && received <= 0)) {
      connection.gone();
      there = false;
    }
    if (!there && sends) break;
  }
  open.erase(socket);
  const auto end = connection.end();
  lock.unlock();
  close(socket, end);
  lock.lock();  // the connection ends in the bill book
}

void ApiServer::Running::close(std::intptr_t socket, std::optional<WireEnd> end) {
  if (end == WireEnd::Reset) return close_socket(socket, Close::Reset);
  // A close with unread input would reset the connection and could eat the answer.
  end_sending(socket);
  std::array<char, 65536> rest;
  while (wait_for_input(socket, std::chrono::milliseconds{0}) && receive_some(socket, rest) > 0) {
  }
  close_socket(socket, Close::InOrder);
}

ApiServer::ApiServer(std::vector<std::string> options) {
  options.insert(options.begin(), "api_server");
  std::vector<char*> argv;
  for (std::string& option : options) argv.push_back(option.data());
  argv.push_back(nullptr);
  const auto parsed = parse_options(static_cast<int>(options.size()), argv.data());
  if (!parsed) throw std::runtime_error(parsed.error().message);
  auto service = Service::make(*parsed);
  if (!service) throw std::runtime_error(service.error().message);
  running_ = std::make_unique<Running>(std::move(*service));
  port_ = running_->port;
}

ApiServer::~ApiServer() = default;

}  // namespace millrace::test
