// What a client sends: the head, and the body read as a stream, whatever its size.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "platform/base/sha256.hpp"
#include "tests/api_server/fake_output.hpp"

namespace millrace::test {

struct RequestHead {
  std::string method;
  std::string path;                            // without the query
  FormFields query;                            // decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::uint64_t length = 0;                    // Content-Length
  bool expects_continue = false;

  std::string header(const std::string& name) const;
};

// Parses a head that ends with an empty line; nothing if it is no HTTP/1.1 request.
std::optional<RequestHead> parse_head(std::string_view text);

std::string percent_decode(std::string_view text);

// Reads multipart/form-data (RFC 7578) as it arrives: the part named `file` is hashed, other parts
// are kept as fields. A body of another type is hashed whole.
class BodyReader {
 public:
  explicit BodyReader(const RequestHead& head);
  void feed(std::string_view bytes);

  // Ends the body: the SHA-256 of the content in hex, and whether the frame was complete.
  std::string finish_hash();
  bool frame_complete() const { return !multipart_ || step_ == Step::Done; }
  const FormFields& fields() const { return fields_; }
  const std::string& file_name() const { return file_name_; }
  std::uint64_t file_bytes() const { return file_bytes_; }
  bool has_file() const { return has_file_; }

 private:
  enum class Step { Preamble, Headers, Part, Done, Broken };
  bool advance();
  bool read_part_headers();
  bool read_part();
  void take(std::string_view bytes);

  bool multipart_ = false;
  std::string delimiter_;  // CRLF "--" boundary
  Step step_ = Step::Preamble;
  std::string buffer_;
  std::string part_name_;
  std::string file_name_;
  FormFields fields_;
  Sha256 hash_;
  std::uint64_t file_bytes_ = 0;
  bool has_file_ = false;
};

}  // namespace millrace::test
