// Bodies on their way in and out, in memory or in a file. One thread; short blocking file calls.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "platform/base/result.hpp"
#include "platform/http/local_files.hpp"
#include "platform/http/server.hpp"

namespace millrace {

// A request whose body file goes with it.
std::shared_ptr<ServerRequest> new_server_request();

// Takes the body of one request at a time: into memory, and past `spool_above` bytes into a file.
class BodySink {
 public:
  BodySink(std::filesystem::path spool_dir, std::uint64_t spool_above)
      : spool_dir_(std::move(spool_dir)), spool_above_(spool_above) {}
  Result<void> take(ServerRequest& request, std::string_view bytes);
  Result<void> finish();  // the body is whole; ready for the next one
  void reset() { file_.reset(); }

 private:
  Result<void> open(ServerRequest& request);

  std::filesystem::path spool_dir_;
  std::uint64_t spool_above_;
  CFile file_;
};

// The body of one answer at a time, in pieces.
class AnswerSource {
 public:
  // Opens the file, if there is one, and replaces the answer by a 500 if that fails.
  void begin(ServerResponse response);
  const ServerResponse& response() const { return response_; }
  std::uint64_t length() const { return length_; }
  void skip_body() { sent_ = length_; }
  bool done() const { return sent_ == length_; }
  // The next piece, valid until the next call; empty if the file is shorter than it was.
  std::string_view next(std::span<char> scratch);
  void reset();

 private:
  ServerResponse response_;
  CFile file_;
  std::uint64_t length_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace millrace
