// One attempt at one file: asked for, received into a temporary file, checked.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "agent/download/download_request.hpp"
#include "agent/download/file_ledger.hpp"
#include "agent/download/list_item.hpp"
#include "agent/download/range_fetch.hpp"
#include "agent/transfer/http_client.hpp"
#include "platform/base/clock.hpp"
#include "platform/fs/atomic_file.hpp"

namespace millrace {

// An attempt that has begun; its answer may not have come.
struct Asked {
  Headers conditions;
  std::uint64_t have = 0;                    // bytes that an earlier attempt has kept
  std::optional<DownloadQuestion> question;  // none: ranges are on record, and asked for by fetch()
};

struct Fetched {
  std::unique_ptr<AtomicFile> file;  // finished; none: nothing has changed since the record
  FileRecord record;                 // of these bytes, not yet written anywhere
  bool anew = false;                 // it changed meanwhile, and was fetched a second time
};

// Thread-safe; calls block on the disk, and fetch() on the network.
class FileFetcher {
 public:
  // All of them must outlive it.
  FileFetcher(HttpClient& http, Directory& folder, FileLedger& ledger, const Clock& clock,
              FetchRules rules);

  // `record` is the line's own. Done: asked for only if it changed. Partial: the rest is asked for.
  // Errors are of the kinds that the retry policy knows;
  // what is wrong with the line or the answer for good is Input. No message holds a path or a
  // query of a URL.
  // Tells `on_answer` when fetch() can go on without waiting (see HttpRequest); after an error it
  // may be told too.
  Result<Asked> ask(const ListItem& item, const FileRecord& record, const std::stop_token& stop,
                    OnAnswer on_answer);
  // `bad_sha256` is set where the bytes came whole and are not those of the list (Transient).
  // `more`: for the ranges of a long file.
  Result<Fetched> fetch(Asked asked, const ListItem& item, const FileRecord& record,
                        std::stop_token stop, const MoreRequests& more, std::string& bad_sha256);
  std::uint64_t received() const { return received_.load(std::memory_order_relaxed); }

 private:
  struct Part;  // a temporary file that is being filled

  Headers conditions(const FileRecord& record, std::uint64_t have) const;
  std::uint64_t kept_bytes(const FileRecord& record);
  Result<Part> begin(const ListItem& item, const FileRecord& record, const DownloadAnswer& answer,
                     std::uint64_t have);
  Result<void> copy_kept(const FileRecord& record, std::uint64_t have, Part& part);
  Result<void> receive(const DownloadAnswer& answer, Part& part);
  Result<void> drop_part(const FileRecord& record);
  bool may_be_divided(const ListItem& item, const FileRecord& record, const HttpHead& head) const;
  Result<Fetched> fetch_whole(const ListItem& item, const FileRecord& record, DownloadAnswer answer,
                              std::uint64_t have, std::string& bad_sha256);
  Result<Fetched> fetch_ranges(const ListItem& item, FileRecord record,
                               std::optional<DownloadAnswer> whole, const std::stop_token& stop,
                               const MoreRequests& more, std::string& bad_sha256);
  Result<Fetched> fetch_anew(const ListItem& item, FileRecord record, const std::stop_token& stop,
                             std::string& bad_sha256);

  Directory& folder_;
  FileLedger& ledger_;
  const Clock& clock_;
  const FetchRules rules_;
  const DownloadRequests requests_;
  std::atomic<std::uint64_t> received_{0};  // bytes of bodies; a counter that stands alone
};

}  // namespace millrace
