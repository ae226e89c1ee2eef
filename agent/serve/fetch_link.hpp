// The bytes behind a `file_url`.
#pragma once

#include <cstdint>
#include <expected>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/serve/convert_request.hpp"
#include "agent/transfer/http_client.hpp"
#include "platform/base/clock.hpp"

namespace millrace::serve {

struct FetchRules {
  // "HOST:PORT" wherever it leads; every other place must be https and have a public address, which
  // is looked at when the connection is made.
  std::vector<std::string> allow;
  std::string ca_file;
  std::uint64_t max_size = 0;
};

// "host:443" of an http or https URL, lower case; empty if it is none or names a user.
std::string place_of(const std::string& url);

// Fetches request.link into scratch and sets input and owns. Blocks; ends soon after `stop` fires,
// and when the body takes longer than 60 s and its bytes at 10 KB a second. The unexpected value is
// the answer: 422 file_url_disabled, 422 fetch_failed (the message holds no query of the link),
// 413, 507.
std::expected<void, ServerResponse> fetch_link(HttpClient* client, const FetchRules& rules,
                                               ConvertRequest& request, ScratchFolder& scratch,
                                               const Clock& clock, std::stop_token stop);

}  // namespace millrace::serve
