// `millrace serve`: the conversion API on this machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/serve/renderer.hpp"
#include "agent/transfer/http_client.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

struct ConversionServerOptions {
  std::filesystem::path unix_socket;  // or
  std::string listen;                 // "127.0.0.1:8651"; not loopback: TLS and token are demanded
  std::filesystem::path certificate, private_key;
  std::string token;                     // empty: nobody is asked
  std::uint64_t max_size = 100'000'000;  // of a file to convert; 413 above
  int renderers = 2;                     // conversions at a time
  int queue_limit = 64;                  // further requests that may upload or wait; 429 above
  std::filesystem::path scratch;  // a folder of its own: what looks like ours in it is removed
  std::uint64_t cache_bytes = 256'000'000;
  Duration cache_age = std::chrono::hours{24};
  RenderLimits limits;
  std::vector<std::string> allow_fetch;  // "HOST:PORT" that `file_url` may lead to, public or not
  std::string ca_file;                   // replaces the system's trust for these fetches
};

struct ConversionServerParts {
  // Called `renderers` times at start.
  std::function<std::unique_ptr<Renderer>()> make_renderer;
  HttpClient* fetch = nullptr;  // null: no `file_url`; else it outlives the server
  const Clock* clock =
      nullptr;  // null: the system's; for the age of cached answers and for fetches
};

// Serves until it is destroyed. Any thread.
//
// Disk is bounded: (renderers + queue_limit) * 2 * max_size for requests (the form and the file in
// it), one output for each renderer (its size is limited by who makes the renderers), one output
// for each answer under way, and cache_bytes.
class ConversionServer {
 public:
  virtual ~ConversionServer() = default;
  virtual std::string address() const = 0;  // as HttpServer::address
  // Conversions under way may finish until `patience` is over; the rest are ended by force. Blocks.
  virtual void stop(std::chrono::milliseconds patience) = 0;
};

// Configuration if the options are refused, what the renderer says if it does not work.
Result<std::unique_ptr<ConversionServer>> start_conversion_server(ConversionServerOptions options,
                                                                  ConversionServerParts parts);

}  // namespace millrace
