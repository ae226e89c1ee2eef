// A small HTTP/1.1 server: serve, control and the page use it. Boost.Beast stays in one source.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace {

// Values are shared by nobody but the handler; the file at `body_file` is removed when the last
// owner lets go of the request, unless the owner has moved it away or cleared the path.
struct ServerRequest {
  std::string method;
  std::string path;  // decoded, without query; always begins with `/`
  std::vector<std::pair<std::string, std::string>> query;    // decoded
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;                                          // up to `spool_above` bytes
  std::filesystem::path body_file;  // the body, if it was larger; removed with the request
  std::uint64_t body_size = 0;
  std::shared_ptr<void> held;  // for `admit`: lives as long as the request (a place in a queue)
  std::string_view header(std::string_view name) const;  // empty if absent
  std::string_view query_value(std::string_view name) const;
};

struct ServerResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string content_type = "application/json";
  std::string body;
  std::filesystem::path body_file;   // sent instead of `body` if set
  std::shared_ptr<void> keep_alive;  // released when the answer was sent (owns body_file's scratch)
};

// `{"error":{"code":...,"message":...}}`; the message is made safe for one line.
ServerResponse error_response(int status, std::string_view code, std::string_view message);
// A JSON string with its quotes; bytes that are not UTF-8 and control characters are escaped.
std::string json_quote(std::string_view text);

// Called once, from any thread, at any time; later calls are ignored. Dropping it answers 500.
using Respond = std::function<void(ServerResponse)>;
// Runs on the server's thread and must not block: hand the work to somebody and respond later.
using Handler = std::function<void(std::shared_ptr<ServerRequest>, Respond)>;

struct ServerOptions {
  std::filesystem::path unix_socket;  // clients find it by local_address(); or
  std::string address;                // "127.0.0.1:8650", port 0 for any free one
  std::filesystem::path certificate;  // PEM chain and key: TLS 1.2 or newer
  std::filesystem::path private_key;
  std::uint64_t max_body = 100'000'000;  // 413 above
  std::uint64_t spool_above = 4'000'000;
  std::filesystem::path spool_dir;
  int max_connections = 512;
  std::chrono::milliseconds idle_timeout{60'000};  // without a byte of progress
  std::chrono::milliseconds head_timeout{15'000};  // TLS handshake; first byte to end of a head
  std::uint64_t min_upload_rate = 100;  // bytes a second, averaged, once idle_timeout has passed
  // Looks at the head before the body is read: a response here (401, 413, 429) is sent at once and
  // the connection closed. Runs on the server's thread; may set `held`.
  std::function<std::optional<ServerResponse>(ServerRequest&)> admit;
};

// Serves from its own thread until it is destroyed. One request at a time on a connection; a head
// holds 16 KiB at most (431). A request whose end two parsers could see in different places (both
// Content-Length and Transfer-Encoding, either of them twice, a coding other than chunked) is
// refused with 400 (RFC 9112, 6.3), and so is a path with NUL, %2F or a `.` or `..` part.
class HttpServer {
 public:
  virtual ~HttpServer() = default;
  // Where it listens: "http://127.0.0.1:40123", or the path of its Unix socket.
  virtual std::string address() const = 0;
  // Stops accepting and reading; answers under way may finish until `patience` is over. Blocks
  // until the thread has ended; never called from the handler. A second call does nothing.
  virtual void stop(std::chrono::milliseconds patience) = 0;
};

// Configuration: address, certificate or socket path is wrong; Exists: somebody else serves there.
Result<std::unique_ptr<HttpServer>> start_http_server(ServerOptions options, Handler handler);

}  // namespace millrace
