// A strict, streaming parser for multipart/form-data (RFC 7578, RFC 2046 5.1).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "platform/base/result.hpp"

namespace millrace::serve {

struct PartHead {
  std::string name;
  std::string filename;  // as it was sent; never used as a path
};

// Told what is in the form, in its order. An error ends the parse with that error.
class PartSink {
 public:
  virtual ~PartSink() = default;
  virtual Result<void> begin(const PartHead& head) = 0;
  virtual Result<void> data(std::string_view bytes) = 0;
  virtual Result<void> end() = 0;
};

// The boundary of a Content-Type value; Input if it is no multipart/form-data with a boundary of 1
// to 70 permitted characters.
Result<std::string> multipart_boundary(std::string_view content_type);

// Fed with any pieces. Stricter than the RFC where leniency only helps those who hide something: no
// preamble, no padding after a boundary, nothing but one line end after the last one, no transfer
// encodings, no filename*. At most 64 parts with 8 KiB of head each. Everything wrong is Input.
class MultipartParser {
 public:
  MultipartParser(std::string_view boundary, PartSink& sink);
  Result<void> feed(std::string_view bytes);
  Result<void> finish();  // Input if the last boundary has not come

 private:
  enum class State { Opening, AfterBoundary, Head, Data, Epilogue };
  enum class Step { Advanced, NeedMore };
  Result<Step> step();
  Result<Step> opening();
  Result<Step> after_boundary();
  Result<Step> head();
  Result<Step> data();
  Result<Step> epilogue();

  std::string delimiter_;  // CR LF - - boundary
  PartSink& sink_;
  State state_ = State::Opening;
  std::string pending_;
  int parts_ = 0;
};

}  // namespace millrace::serve
