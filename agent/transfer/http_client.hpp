// HTTP requests, one at a time for a worker, many at once on one network thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpTimeouts {
  Duration connect = std::chrono::seconds{15};  // name, TCP and TLS
  Duration stall = std::chrono::seconds{60};    // upload or download without a byte of progress
  Duration thinking =
      std::chrono::seconds{120};  // from the last byte sent to the first of the answer
};

// PublicOnly: looked at when the connection is made, so that no name can lead anywhere else. Such a
// request never uses a connection that was there before.
enum class AddressRule { Any, PublicOnly };

// Where http without TLS may go, beside a Unix socket. MetadataServices: also to the addresses at
// which clouds give keys to their machines and containers, which never leave the host's network:
// 169.254.169.254, 169.254.170.2, 169.254.170.23, fd00:ec2::254 and fd00:ec2::23.
enum class PlainHttp { Loopback, MetadataServices };

// Holds a request back: called at most once, by the thread that uses the exchange, when the request
// is ready to be sent. Nothing is sent before `go` was called, which any thread may do, once; with
// an error the exchange ends with that. It never blocks, and may come after the exchange, but not
// after the client.
using BeforeSending = std::function<void(std::function<void(std::optional<Error>)> go)>;

// Tells that head() no longer blocks: the head and a good piece of the body are there, or the
// exchange has ended. Whole: neither does read(), to the end of the answer. Called once, by the
// thread of the network or by start(), perhaps after the exchange is gone but not after the client;
// it must not block.
enum class Arrival { Begun, Whole };
using OnAnswer = std::function<void(Arrival)>;

struct HttpRequest {
  std::string method = "POST";
  std::string url;          // https; http only to loopback, with `unix_socket`, or `plain_http`
  std::string unix_socket;  // path, or empty
  std::string ca_file;      // replaces the system's trust if set
  Headers headers;          // values hold no line ends (Defect otherwise)
  std::uint64_t body_length = 0;
  std::uint64_t max_answer = 0;  // bytes of answer body that are accepted; 0: 4 GiB
  HttpTimeouts timeouts;
  AddressRule addresses = AddressRule::Any;  // Configuration where it forbids every address
  PlainHttp plain_http = PlainHttp::Loopback;
  // Ends the exchange as its other stop token does, but only while the request is not whole.
  std::stop_token stop_upload = {};
  BeforeSending before_sending = {};  // nothing: it is sent at once
  OnAnswer on_answer = {};            // for who waits for many exchanges at once
};

struct HttpHead {
  int status = 0;
  Headers headers;                      // names in lower case
  std::optional<std::uint64_t> length;  // Content-Length
  bool framed = false;  // Content-Length or chunked; else the end is the connection's end
  // First value of a header (name in lower case), or nothing.
  std::optional<std::string_view> header(std::string_view name) const;
};

enum class Keep { Going, Enough };  // Enough: a final answer is there, stop sending

// One request under way. Used by one worker thread; every call blocks until it can answer, an
// error ends the exchange, or the stop token given to start() fires (Stopped, within 50 ms).
// The destructor cancels what is still under way.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  // Hands over the next part of the body (copied, or sent before it returns).
  virtual Result<Keep> send(std::span<const std::byte> bytes) = 0;
  // The final answer's head; body_length bytes must have been sent, unless send() said Enough.
  virtual Result<HttpHead> head() = 0;
  // The next bytes of the answer's body, which stay until the next call; none at its end. Fails
  // with Transient if it is shorter than was declared.
  Result<std::span<const std::byte>> next();
  // The same, copied; 0 at the end.
  Result<std::size_t> read(std::span<std::byte> into);
  // How far it came, for the attempt row. Valid at any time; it changes no more once a
  // stop has ended the exchange.
  struct Progress {
    std::uint64_t body_sent = 0;  // bytes of the body handed to the network
    bool connected = false;       // a request went out on a connection
    bool whole_request_sent = false;
  };
  virtual Progress progress() const = 0;

 private:
  virtual Result<std::span<const std::byte>> take() = 0;  // next(), of what has arrived
  std::span<const std::byte> rest_;                       // of it, not given away by read()
};

// Thread-safe.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Never blocks on the network. Configuration for a URL that is not allowed.
  virtual Result<std::unique_ptr<HttpExchange>> start(HttpRequest request,
                                                      std::stop_token stop) = 0;
  struct Counters {
    std::uint64_t requests = 0, connections = 0, resumed = 0;
  };
  virtual Counters counters() const = 0;
};

}  // namespace millrace
