#include "agent/transfer/transfer_error.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

enum class Say { Host, Trust };

struct Row {
  CURLcode code;
  ErrorKind kind;
  std::string_view what;
  Say say = Say::Host;
};

constexpr std::array kRows{
    Row{CURLE_COULDNT_RESOLVE_HOST, ErrorKind::Unreachable, "cannot find the address of"},
    Row{CURLE_COULDNT_RESOLVE_PROXY, ErrorKind::Unreachable, "cannot find the proxy for"},
    Row{CURLE_COULDNT_CONNECT, ErrorKind::Unreachable, "cannot connect to"},
    Row{CURLE_PROXY, ErrorKind::Unreachable, "the proxy refuses a connection to"},
    Row{CURLE_SSL_CONNECT_ERROR, ErrorKind::Unreachable, "no TLS connection to"},
    Row{CURLE_SSL_CERTPROBLEM, ErrorKind::Unreachable, "no TLS connection to"},
    Row{CURLE_SSL_CIPHER, ErrorKind::Unreachable, "no common cipher with"},
    Row{CURLE_PEER_FAILED_VERIFICATION, ErrorKind::Unreachable, "certificate of", Say::Trust},
    Row{CURLE_SSL_ISSUER_ERROR, ErrorKind::Unreachable, "certificate of", Say::Trust},
    Row{CURLE_SSL_INVALIDCERTSTATUS, ErrorKind::Unreachable, "certificate of", Say::Trust},
    Row{CURLE_SSL_CACERT_BADFILE, ErrorKind::Configuration, "certificate of", Say::Trust},
    Row{CURLE_UNSUPPORTED_PROTOCOL, ErrorKind::Configuration, "protocol refused for"},
    Row{CURLE_URL_MALFORMAT, ErrorKind::Configuration, "the URL cannot be read for"},
    Row{CURLE_BAD_FUNCTION_ARGUMENT, ErrorKind::Defect, "libcurl refuses the request to"},
    Row{CURLE_UNKNOWN_OPTION, ErrorKind::Defect, "libcurl refuses an option for"},
    Row{CURLE_PARTIAL_FILE, ErrorKind::Transient, "the answer is shorter than declared by"},
    Row{CURLE_GOT_NOTHING, ErrorKind::Transient, "no answer, the connection was closed by"},
    Row{CURLE_SEND_FAIL_REWIND, ErrorKind::Transient,
        "the connection was lost before an answer from"},
    Row{CURLE_SEND_ERROR, ErrorKind::Transient, "the connection broke while sending to"},
    Row{CURLE_RECV_ERROR, ErrorKind::Transient, "the connection broke while receiving from"},
};

Row row_of(CURLcode code, Phase phase) {
  const auto found = std::ranges::find(kRows, code, &Row::code);
  Row row =
      found != kRows.end() ? *found : Row{code, ErrorKind::Transient, "the exchange failed with"};
  // Before a request went out, nothing that breaks says anything about the request.
  if (phase == Phase::Connecting && row.kind == ErrorKind::Transient)
    row = {code, ErrorKind::Unreachable, "cannot connect to"};
  // After it, this code means an answer that is not HTTP.
  if (phase != Phase::Connecting && code == CURLE_UNSUPPORTED_PROTOCOL)
    row = {code, ErrorKind::Transient, "no HTTP answer from"};
  return row;
}

std::string seconds_text(Duration limit) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

}  // namespace

Error error_of_code(int code, const Whereabouts& where, std::string_view detail) {
  const auto curl_code = static_cast<CURLcode>(code);
  const Row row = row_of(curl_code, where.phase);
  std::string text{row.what};
  text.append(" ").append(where.host);
  if (row.say == Say::Trust) text.append(" not trusted by ").append(where.trust);
  text.append(": ").append(printable(detail.empty() ? curl_easy_strerror(curl_code) : detail, 300));
  return Error{row.kind, std::move(text), 0, {}};
}

Error error_of_timeout(const Whereabouts& where, Waiting waiting, Duration limit) {
  const std::string within = " within " + seconds_text(limit);
  const std::string host{where.host};
  if (waiting == Waiting::ForUs)
    return Error{ErrorKind::Transient,
                 "exchange with " + host + " given up: our own side did not go on" + within,
                 0,
                 {}};
  switch (where.phase) {
    case Phase::Connecting:
      return Error{ErrorKind::Unreachable, "no connection to " + host + within, 0, {}};
    case Phase::Uploading:
      return Error{ErrorKind::Transient, host + " took no more of the upload" + within, 0, {}};
    case Phase::Thinking:
      return Error{ErrorKind::Transient, "no answer from " + host + within, 0, {}};
    case Phase::Downloading:
      return Error{ErrorKind::Transient, host + " sent no more of its answer" + within, 0, {}};
  }
  return Error{};
}

}  // namespace millrace
