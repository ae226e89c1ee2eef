// A Converter that speaks the ChangeThisFile API: POST url, a bearer key, an Idempotency-Key.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/convert/converter.hpp"
#include "agent/convert/request_frame.hpp"
#include "agent/transfer/http_client.hpp"

namespace millrace {

struct ApiConverterRules {
  std::string name = {};         // of the [converter.NAME], for messages
  std::string url = {};          // POST goes there
  std::string unix_socket = {};  // path, or empty
  std::string account = {};      // empty: scheme, host and port of the URL
  std::string ca_file = {};      // replaces the system's trust if set
  // Asked anew for each request, from any worker thread, so that a changed key counts at once; its
  // text is wiped after use. Null: no Authorization header. Its errors are passed on.
  std::function<Result<std::string>()> api_key = {};
  UploadForm upload = UploadForm::Multipart;
  std::uint64_t max_size = 0;    // bytes of a source; 0: no limit
  std::uint64_t max_answer = 0;  // bytes of an answer; 0: the transport's own limit
  HttpTimeouts timeouts = {};
};

// `scheme://host:port` in lower case, the port always given; empty if `url` has no such form.
std::string account_of_url(const std::string& url);

// `http` and `clock` outlive the converter. Configuration if the URL cannot be used. With
// UploadForm::Url payloads are linked ones: the link is made just before the attempt and lives a
// little longer than it may take. Where it does not name the version, an answer is believed only if
// the source is still the same when the answer is whole; Changed or Vanished otherwise.
Result<std::unique_ptr<Converter>> make_api_converter(HttpClient& http, ApiConverterRules rules,
                                                      const Clock& clock);

}  // namespace millrace
