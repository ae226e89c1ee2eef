#include "agent/download/file_fetcher.hpp"

#include <algorithm>
#include <utility>

#include "agent/download/answer_rules.hpp"
#include "platform/base/sha256.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

constexpr std::size_t kPieceOfFile = 64 * 1024;
constexpr std::size_t kLongestValidator = 1024;  // bytes; a longer one is not remembered

std::string remembered(const HttpHead& head, std::string_view name) {
  const auto value = head.header(name);
  return value && value->size() <= kLongestValidator ? std::string(*value) : std::string();
}

}  // namespace

struct FileFetcher::Part {
  std::unique_ptr<AtomicFile> file;
  std::optional<Sha256> hash;
  FileRecord record;
  std::optional<std::uint64_t> expected;  // bytes in all
  bool resumable = false;                 // recorded, so that its bytes are worth keeping

  Result<void> write(std::span<const std::byte> bytes) {
    if (auto wrote = file->write(bytes); !wrote) return std::unexpected(on_disk(wrote.error()));
    if (hash) hash->update(bytes);
    record.size += bytes.size();
    return {};
  }
  // What came so far stays for the next attempt.
  void keep() {
    if (resumable && file->finish()) file->keep();
  }
  Result<void> check(const ListItem& item, const std::string& host, std::string& bad_sha256) {
    record.sha256 = hash ? to_hex(hash->finish()) : std::string();
    if (expected && record.size != *expected)
      return bad_answer(host, "the file has " + std::to_string(record.size) + " bytes and not " +
                                  std::to_string(*expected));
    if (item.sha256.empty() || item.sha256 == record.sha256) return {};
    bad_sha256 = record.sha256;
    return bad_answer(host, "the file has the SHA-256 " + record.sha256 + " and not the list's");
  }
};

FileFetcher::FileFetcher(HttpClient& http, Directory& folder, FileLedger& ledger,
                         const Clock& clock, FetchRules rules)
    : folder_(folder),
      ledger_(ledger),
      clock_(clock),
      rules_(std::move(rules)),
      requests_(http, rules_) {}

// Bytes of the temporary that the record names; 0 if there is none or they cannot be resumed.
std::uint64_t FileFetcher::kept_bytes(const FileRecord& record) {
  if (record.state != FileState::Partial) return 0;
  if (validator_of(record.etag, record.last_modified).empty()) return 0;
  const auto info = folder_.info(record.temporary);
  return info && info->type == FileType::Regular ? info->size : 0;
}

Headers FileFetcher::conditions(const FileRecord& record, std::uint64_t have) const {
  Headers headers;
  if (have > 0) {
    headers.emplace_back("Range", "bytes=" + std::to_string(have) + "-");
    headers.emplace_back("If-Range", validator_of(record.etag, record.last_modified));
  }
  if (record.state != FileState::Done) return headers;
  if (!record.etag.empty()) headers.emplace_back("If-None-Match", record.etag);
  if (!record.last_modified.empty())
    headers.emplace_back("If-Modified-Since", record.last_modified);
  return headers;
}

Result<void> FileFetcher::drop_part(const FileRecord& record) {
  if (record.state != FileState::Partial || record.temporary.empty()) return {};
  auto removed = folder_.remove(record.temporary);
  if (removed || removed.error().kind == ErrorKind::Vanished) return {};
  return removed;
}

Result<void> FileFetcher::copy_kept(const FileRecord& record, std::uint64_t have, Part& part) {
  auto kept = folder_.open(record.temporary);
  if (!kept) return std::unexpected(kept.error());
  std::vector<std::byte> piece(kPieceOfFile);
  while (part.record.size < have) {
    const auto got = (*kept)->read_at(part.record.size, piece);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return fail(ErrorKind::Transient, "the bytes that were kept are gone");
    const auto n = std::min<std::uint64_t>(*got, have - part.record.size);
    if (auto wrote = part.write(std::span(piece).first(static_cast<std::size_t>(n))); !wrote)
      return wrote;
  }
  return {};
}

// The temporary is on record before the first byte of the answer is in it.
Result<FileFetcher::Part> FileFetcher::begin(const ListItem& item, const FileRecord& record,
                                             const DownloadAnswer& answer, std::uint64_t have) {
  Part part;
  part.record = record;
  part.record.size = 0;
  part.record.etag = remembered(answer.head, "etag");
  part.record.last_modified = remembered(answer.head, "last-modified");
  part.expected = answer.head.length;
  if (answer.head.status == 206) {
    const auto range = parse_content_range(answer.head.header("content-range").value_or(""));
    if (!range || range->first != have)
      return bad_answer(answer.host, "another range than asked for");
    part.expected = range->total.value_or(range->last + 1);
  } else {
    have = 0;
  }
  if (item.size && part.expected && *item.size != *part.expected)
    return bad_answer(answer.host, "the file has " + std::to_string(*part.expected) +
                                       " bytes and not " + std::to_string(*item.size));
  if (!part.expected) part.expected = item.size;
  if (!part.expected && item.sha256.empty() && !answer.head.framed)
    return bad_answer(answer.host, "the answer does not say where it ends");

  if (const auto parent = parent_of(record.name); !parent.empty()) {
    if (auto made = folder_.make_directories(std::string(parent)); !made)
      return std::unexpected(on_disk(made.error()));
  }
  auto file =
      AtomicFile::begin(folder_, record.name, rules_.owner, Access::Shared, rules_.durability);
  if (!file) return std::unexpected(on_disk(file.error()));
  part.file = std::move(*file);
  if (rules_.hashing == Hashing::Always || !item.sha256.empty()) part.hash.emplace();
  part.record.temporary = part.file->temporary_name();
  if (auto copied = have > 0 ? copy_kept(record, have, part) : Result<void>{}; !copied)
    return std::unexpected(copied.error());
  part.resumable = record.state != FileState::Done &&
                   part.expected.value_or(0) >= rules_.resume_from &&
                   has_strong_validator(answer.head);
  if (part.resumable) {
    part.record.state = FileState::Partial;
    if (auto put = ledger_.put(part.record); !put) return std::unexpected(put.error());
    if (auto written = ledger_.commit(); !written) return std::unexpected(written.error());
  }
  if (auto dropped = drop_part(record); !dropped) return std::unexpected(on_disk(dropped.error()));
  return part;
}

Result<void> FileFetcher::receive(const DownloadAnswer& answer, Part& part) {
  for (;;) {
    const auto piece = answer.exchange->next();
    if (!piece) return std::unexpected(as_input(piece.error()));
    if (piece->empty()) break;
    received_.fetch_add(piece->size(), std::memory_order_relaxed);
    if (part.expected && part.record.size + piece->size() > *part.expected)
      return bad_answer(answer.host, "the file is longer than it should be");
    if (auto wrote = part.write(*piece); !wrote) return wrote;
  }
  // libcurl before 8.0 takes a stream of HTTP/2 that was cut off for a whole one.
  if (part.expected && part.record.size < *part.expected)
    return bad_answer(answer.host, "the answer is shorter than declared");
  return {};
}

bool FileFetcher::may_be_divided(const ListItem& item, const FileRecord& record,
                                 const HttpHead& head) const {
  // Of what lies there already the record is kept until the new bytes are whole.
  if (record.state == FileState::Done || rules_.ranges < 2) return false;
  return head.length.value_or(0) >= rules_.ranges_from && has_ranges(head) &&
         (!item.size || item.size == head.length);
}

Result<Asked> FileFetcher::ask(const ListItem& item, const FileRecord& record,
                               const std::stop_token& stop, OnAnswer on_answer) {
  Asked asked;
  if (record.state == FileState::Partial && !record.ranges.empty()) {
    on_answer(Arrival::Begun);
    return asked;
  }
  asked.have = kept_bytes(record);
  asked.conditions = conditions(record, asked.have);
  auto question = requests_.ask(item.url, asked.conditions, stop, std::move(on_answer));
  if (!question) return std::unexpected(question.error());
  asked.question = std::move(*question);
  return asked;
}

Result<Fetched> FileFetcher::fetch(Asked asked, const ListItem& item, const FileRecord& record,
                                   std::stop_token stop, const MoreRequests& more,
                                   std::string& bad_sha256) {
  if (!asked.question) return fetch_ranges(item, record, std::nullopt, stop, more, bad_sha256);
  const std::uint64_t have = asked.have;
  auto answer = requests_.answer(std::move(*asked.question), asked.conditions, stop);
  if (!answer) return std::unexpected(answer.error());
  const int status = answer->head.status;
  if (status == 304 && record.state == FileState::Done) return Fetched{nullptr, record};
  if (status == 416 && have > 0) {
    if (auto dropped = drop_part(record); !dropped)
      return std::unexpected(on_disk(dropped.error()));
    return bad_answer(answer->host, "there is no such range; the file is asked for anew");
  }
  if (status != 200 && !(status == 206 && have > 0))
    return std::unexpected(error_of_answer(answer->head, answer->host, clock_.wall_now()));
  if (!may_be_divided(item, record, answer->head))
    return fetch_whole(item, record, std::move(*answer), have, bad_sha256);
  if (auto dropped = drop_part(record); !dropped) return std::unexpected(on_disk(dropped.error()));
  return fetch_ranges(item, record, std::move(*answer), stop, more, bad_sha256);
}

Result<Fetched> FileFetcher::fetch_whole(const ListItem& item, const FileRecord& record,
                                         DownloadAnswer answer, std::uint64_t have,
                                         std::string& bad_sha256) {
  auto part = begin(item, record, answer, have);
  if (!part) return std::unexpected(part.error());
  if (auto received = receive(answer, *part); !received) {
    part->keep();
    return std::unexpected(received.error());
  }
  if (auto right = part->check(item, answer.host, bad_sha256); !right)
    return std::unexpected(right.error());
  if (auto finished = part->file->finish(); !finished)
    return std::unexpected(on_disk(finished.error()));
  return Fetched{std::move(part->file), std::move(part->record)};
}

Result<Fetched> FileFetcher::fetch_ranges(const ListItem& item, FileRecord record,
                                          std::optional<DownloadAnswer> whole,
                                          const std::stop_token& stop, const MoreRequests& more,
                                          std::string& bad_sha256) {
  if (whole) {
    record.etag = remembered(whole->head, "etag");
    record.last_modified = remembered(whole->head, "last-modified");
  }
  RangeFetch ranges({requests_, folder_, ledger_, clock_, rules_, received_}, item, record, more,
                    stop);
  if (whole) {
    const std::uint64_t size = whole->head.length.value_or(0);
    ranges.begin_with(std::move(*whole), size);
  }
  auto joined = ranges.fetch(bad_sha256);
  if (joined) return Fetched{std::move(joined->file), std::move(joined->record)};
  if (ranges.lost() == RangeFetch::Lost::Nothing) return std::unexpected(joined.error());
  auto fetched = fetch_anew(item, std::move(record), stop, bad_sha256);
  if (fetched) fetched->anew = ranges.lost() == RangeFetch::Lost::File;
  return fetched;
}

// In one answer, which is of one file.
Result<Fetched> FileFetcher::fetch_anew(const ListItem& item, FileRecord record,
                                        const std::stop_token& stop, std::string& bad_sha256) {
  record.state = FileState::Named;
  record.temporary.clear();
  record.ranges.clear();
  auto answer = requests_.get(item.url, {}, stop);
  if (!answer) return std::unexpected(answer.error());
  if (answer->head.status != 200)
    return std::unexpected(error_of_answer(answer->head, answer->host, clock_.wall_now()));
  return fetch_whole(item, record, std::move(*answer), 0, bad_sha256);
}

}  // namespace millrace
