// HttpClient over libcurl: one network thread drives one multi handle for all workers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "agent/transfer/http_client.hpp"

namespace millrace {

// Off exists as the negative control of the test that counts resumed sessions.
enum class TlsShare { On, Off };

// Http2: where the server offers it, with many requests on each connection (RFC 9113); HTTP/1.1
// elsewhere. For downloads only: libcurl before 8.0 can spin for ever on an HTTP/2 upload that is
// answered early, and repeats a request whose stream was refused.
enum class HttpVersion { Http11, Http2 };

// Kept: a request that is PublicOnly may use a connection that was there before. Only for a client
// whose requests to one host and port all have the same AddressRule.
enum class PublicConnections { Fresh, Kept };

struct CurlOptions {
  // Trust for requests that name no `ca_file`; empty: the system's bundle.
  std::string ca_file;
  std::string user_agent = "millrace";
  // Connections to one host at a time, 0: as many as there are exchanges. A request that waits for
  // a connection spends its connect timeout, so a cap must not be below the number of workers.
  unsigned max_host_connections = 0;
  // Connections kept open, idle and busy ones together. Below the number of workers, connections
  // are closed that the next request would have used.
  unsigned max_connections = 256;
  HttpVersion version = HttpVersion::Http11;
  PublicConnections public_connections = PublicConnections::Fresh;
  // Told of each answer that came over HTTP/2, by Target::host; on the network thread, which it
  // must not block. May be empty.
  std::function<void(const std::string& host)> on_multiplexed = {};
  TlsShare tls_share = TlsShare::On;
  // An older connection ends its request and takes no further one: names are looked up again and
  // certificates checked again at least this often, however busy the agent is.
  std::chrono::seconds longest_connection = std::chrono::hours{1};
  // A large body goes out after this time if no "100 Continue" came (RFC 9110 10.1.1).
  std::chrono::milliseconds wait_for_continue = std::chrono::seconds{1};
};

// Proxies, cookies, .netrc and redirects are never used, whatever the environment
// says; certificates are always verified, TLS is 1.2 or newer. SIGPIPE must be ignored by the
// program, and SSLKEYLOGFILE removed from its environment, before this is called.
//
// When the client is destroyed, every exchange under way ends with Stopped and the network thread
// is joined; it never waits for a name lookup. No call of an exchange may start while that
// happens; afterwards one may still be read to its end, asked for its progress, or destroyed.
// Defect if libcurl or the thread cannot start; Configuration if the trust file is missing.
Result<std::unique_ptr<HttpClient>> start_curl_http(CurlOptions options);

}  // namespace millrace
