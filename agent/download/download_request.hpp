// One GET of a download: where it may go, what is sent along, and redirects.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "agent/transfer/http_client.hpp"
#include "platform/fs/atomic_file.hpp"

namespace millrace {

// Of what is downloaded the SHA-256 is taken always, or only where the list names one to compare.
enum class Hashing { Always, IfListed };

std::string place_of(const std::string& url);  // "host:443", printable; empty: it is no URL

struct FetchRules {
  // "host:443" wherever it leads, and without TLS on loopback; every other host must be https and
  // have a public address, which is looked at when the connection is made.
  std::vector<std::string> allow;
  // What is sent to "host:443" beside our own headers, and to no other place, wherever it leads.
  // Asked for each request, on a worker; may be empty.
  std::function<Result<Headers>(const std::string& place)> headers;
  std::string ca_file;  // empty: the system's
  HttpTimeouts timeouts;
  // Of answers this long and longer the first bytes are kept for the next attempt; shorter ones
  // cost less than the record would.
  std::uint64_t resume_from = 1024 * 1024;
  // Files this long and longer are fetched in so many ranges, where the server has ranges.
  std::uint64_t ranges_from = 64'000'000;
  std::uint64_t ranges = 4;
  std::string owner = "fetch";  // of temporary files, see AtomicFile
  Durability durability = Durability::DirectoryByCaller;
  Hashing hashing = Hashing::Always;
};

// Under way; its answer may not have come.
struct DownloadQuestion {
  std::unique_ptr<HttpExchange> exchange;
  std::string url;
  std::string host;  // that is asked: place_of(url)
};

struct DownloadAnswer {
  std::unique_ptr<HttpExchange> exchange;
  HttpHead head;
  std::string host;  // that gave it, as place_of() names it
};

// Thread-safe.
class DownloadRequests {
 public:
  static constexpr int kMostRedirects = 5;

  DownloadRequests(HttpClient& http, const FetchRules& rules) : http_(http), rules_(rules) {}

  // Never blocks on the network. Input for what may not be asked. No message of any of these holds
  // a path or a query of a URL.
  Result<DownloadQuestion> ask(std::string url, const Headers& headers, const std::stop_token& stop,
                               OnAnswer on_answer) const;
  // The answer that is no redirect: those are followed, with the same headers. Blocks until then.
  Result<DownloadAnswer> answer(DownloadQuestion question, const Headers& headers,
                                const std::stop_token& stop) const;
  // Both at once.
  Result<DownloadAnswer> get(std::string url, const Headers& headers,
                             const std::stop_token& stop) const;

 private:
  Result<HttpRequest> request_for(const std::string& url, const std::string& host,
                                  const Headers& headers) const;

  HttpClient& http_;
  const FetchRules& rules_;
};

std::unexpected<Error> bad_answer(const std::string& host, std::string_view what);  // Transient
// A line that may not be asked for is wrong by itself; no host is to blame.
Error as_input(Error error);
Error on_disk(Error error);

}  // namespace millrace
