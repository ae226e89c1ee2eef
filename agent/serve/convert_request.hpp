// What a request to /v1/convert asks for, whichever of its three forms it has.
#pragma once

#include <expected>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/serve/scratch_files.hpp"
#include "platform/http/server.hpp"

namespace millrace::serve {

struct ConvertRequest {
  std::filesystem::path input;        // the bytes; empty if there is a link instead
  std::shared_ptr<ScratchFile> owns;  // keeps `input`, unless the request itself does
  std::string content;                // SHA-256 of the bytes; for a link the link without its query
  std::string link;
  std::string source;  // a hint: the field `source`, or the extension of the file name
  std::string target;  // lower case
  std::vector<std::pair<std::string, std::string>> options;  // sorted by name
};

// Reads the body: multipart fields, a raw body with `?target=`, or fields (JSON, form-urlencoded)
// with `file_url`. Blocks on disk. The unexpected value is the answer: 400 for a malformed request,
// 413 for a file above `max_size`, 507 for a full disk.
std::expected<ConvertRequest, ServerResponse> read_convert_request(ServerRequest& request,
                                                                   ScratchFolder& scratch,
                                                                   std::uint64_t max_size);

// What an idempotency key stands for.
std::string fingerprint(const ConvertRequest& request);

}  // namespace millrace::serve
