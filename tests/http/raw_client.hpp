// A client that sends exactly the bytes it is told to.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::test {

struct RawAnswer {
  int status = 0;
  std::string head;  // with the status line, lower case
  std::string body;
  bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
};

// Blocking, 20 s for every call.
class RawClient {
 public:
  // "http://127.0.0.1:4123", or the path of a Unix socket (not on Windows).
  explicit RawClient(const std::string& address);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool send(std::string_view bytes);  // false: the other side does not read any more
  enum class Body { Expected, None };
  std::optional<RawAnswer> receive(Body body = Body::Expected);  // by its Content-Length
  std::string receive_until(std::string_view mark);
  bool closed_by_peer();  // waits for the end of the stream; false if bytes come
  void reset();           // closes so that the other side sees a reset

 private:
  bool more();
  std::intptr_t socket_;
  std::string pending_;
};

// One request on a connection of its own.
std::optional<RawAnswer> ask(const std::string& address, std::string_view request);

}  // namespace millrace::test
