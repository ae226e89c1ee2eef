// One attempt at one file: asked for, received into a temporary file, checked.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/download/file_ledger.hpp"
#include "agent/download/list_item.hpp"
#include "agent/transfer/http_client.hpp"
#include "platform/base/clock.hpp"
#include "platform/fs/atomic_file.hpp"

namespace millrace {

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
  std::string owner = "fetch";  // of temporary files, see AtomicFile
  Durability durability = Durability::DirectoryByCaller;
};

struct Fetched {
  std::unique_ptr<AtomicFile> file;  // finished; none: nothing has changed since the record
  FileRecord record;                 // of these bytes, not yet written anywhere
};

// Thread-safe; calls block on the network and the disk.
class FileFetcher {
 public:
  static constexpr int kMostRedirects = 5;

  // All of them must outlive it.
  FileFetcher(HttpClient& http, Directory& folder, FileLedger& ledger, const Clock& clock,
              FetchRules rules);

  // `record` is the line's own. Done: asked for only if it changed. Partial: the rest is asked for.
  // Errors are of the kinds that the retry policy knows;
  // what is wrong with the line or the answer for good is Input. No message holds a path or a
  // query of a URL.
  // `bad_sha256` is set where the bytes came whole and are not those of the list (Transient).
  Result<Fetched> fetch(const ListItem& item, const FileRecord& record, std::stop_token stop,
                        std::string& bad_sha256);
  std::uint64_t received() const { return received_.load(std::memory_order_relaxed); }

 private:
  struct Answer {
    std::unique_ptr<HttpExchange> exchange;
    HttpHead head;
    std::string host;
  };
  struct Part;  // a temporary file that is being filled

  Result<Answer> ask(std::string url, const Headers& headers, const std::stop_token& stop);
  Result<HttpRequest> request_for(const std::string& url, const std::string& host,
                                  const Headers& headers) const;
  Headers conditions(const FileRecord& record, std::uint64_t have) const;
  std::uint64_t kept_bytes(const FileRecord& record);
  Result<Part> begin(const ListItem& item, const FileRecord& record, const Answer& answer,
                     std::uint64_t have);
  Result<void> copy_kept(const FileRecord& record, std::uint64_t have, Part& part);
  Result<void> receive(const Answer& answer, Part& part);
  Result<void> drop_part(const FileRecord& record);

  HttpClient& http_;
  Directory& folder_;
  FileLedger& ledger_;
  const Clock& clock_;
  const FetchRules rules_;
  std::atomic<std::uint64_t> received_{0};  // bytes of bodies; a counter that stands alone
};

}  // namespace millrace
