// The bytes around a file in a request. Equal requests have equal bytes at every attempt.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/convert/converter.hpp"

namespace millrace {

enum class UploadForm {
  Multipart,  // fields target and options, then the part `file`, named input.EXT
  Raw,        // the bytes themselves; target and options in the query
  Url,        // fields target, options and file_url; the service fetches the bytes itself
};

struct RequestFrame {
  std::string url;  // with the query, if the form has one
  std::string content_type;
  std::string head;          // before the file's bytes
  std::string tail;          // after them; a request without it is never complete
  bool carries_file = true;  // false: head and tail are the whole body
};

// `link` is used by UploadForm::Url only. The boundary is made from request.key, which is a hash of
// the content: no content can hold it but by chance of 1 in 2^128.
RequestFrame make_request_frame(UploadForm form, const std::string& url,
                                const ConvertRequest& request, std::string_view link);

// The source name's extension in lower case if it is 1 to 10 ASCII letters and digits, else "bin".
std::string safe_extension(std::string_view source_name);

}  // namespace millrace
