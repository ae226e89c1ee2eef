// Builds an HttpHead from the header lines as libcurl hands them over. Single-threaded, pure.
#pragma once

#include <cstddef>
#include <string_view>

#include "agent/transfer/http_client.hpp"

namespace millrace {

class AnswerHead {
 public:
  enum class Line {
    More,     // the head goes on
    Interim,  // a 1xx head ended; another one follows
    Final,    // the answer's head is complete: take() it
    Trailer,  // a line after the body, of no interest
    TooMuch,  // over kMaxBytes or kMaxLines
  };
  static constexpr std::size_t kMaxBytes = 256 * 1024;  // over all heads of one exchange
  static constexpr std::size_t kMaxLines = 500;

  // One line with its line end. A status line starts a new head.
  Line add(std::string_view line);
  int status() const { return head_.status; }
  bool is_http2() const { return http2_; }
  // `method` decides whether a body can follow at all.
  HttpHead take(std::string_view method);
  void reset() { *this = {}; }

 private:
  void add_field(std::string_view line);

  HttpHead head_;
  std::size_t bytes_ = 0;
  std::size_t lines_ = 0;
  bool complete_ = false;
  bool http2_ = false;
};

}  // namespace millrace
