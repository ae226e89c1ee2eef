// What turns one file into another, as the conversion API needs it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace {

struct RenderLimits {
  std::uint64_t pixels = 500'000'000;
  std::chrono::seconds time{120};
};

struct RenderJob {
  std::filesystem::path input;   // a regular file
  std::filesystem::path output;  // does not exist yet; only a success leaves it
  std::string from;              // a hint, or empty
  std::string target;
  std::vector<std::pair<std::string, std::string>> options;
  RenderLimits limits;
};

enum class RenderCode {
  Ok,
  UnsupportedRoute,
  BrokenInput,
  TooLarge,        // more pixels than the limit
  BadOption,       // unknown, or out of its range
  DecoderCrashed,  // the worker died over this file
  TooSlow,         // the worker was ended at the time limit
  Internal,
};

struct Rendered {
  RenderCode code = RenderCode::Ok;
  std::string message;  // empty for Ok
  std::string content_type;
  int width = 0;
  int height = 0;
  int pages = 0;
};

struct Formats {
  struct Route {
    std::string from;
    std::vector<std::string> to;
  };
  std::vector<Route> routes;
  std::string engine;  // "vips 8.14.1"
};

// One dispatcher thread at a time, except cancel().
class Renderer {
 public:
  virtual ~Renderer() = default;
  // Blocks until the file is there or its time is over. What the file or the request did wrong is a
  // Rendered; an Error is ours: Environment if no worker can be started, Stopped after cancel().
  virtual Result<Rendered> render(const RenderJob& job) = 0;
  virtual Result<Formats> formats() = 0;
  // Any thread. Ends the job under way; every later call fails with Stopped.
  virtual void cancel() = 0;
};

}  // namespace millrace
