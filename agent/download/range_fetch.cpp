#include "agent/download/range_fetch.hpp"

#include <algorithm>
#include <utility>

#include "agent/download/answer_rules.hpp"
#include "platform/base/text.hpp"
#include "platform/base/thread.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

std::uint64_t length_of(const FileRange& range) { return range.last - range.first + 1; }

bool names_bytes(std::string_view accept_ranges) {
  return to_lower_ascii(accept_ranges).find("bytes") != std::string::npos;
}

}  // namespace

bool has_ranges(const HttpHead& head) {
  return head.status == 200 && names_bytes(head.header("accept-ranges").value_or("")) &&
         !head.header("content-encoding") && has_strong_validator(head);
}

RangeFetch::RangeFetch(const Tools& tools, const ListItem& item, FileRecord record,
                       const MoreRequests& more, const std::stop_token& stop)
    : tools_(tools),
      item_(item),
      more_(more),
      record_(std::move(record)),
      size_(record_.ranges.empty() ? 0 : record_.ranges.back().last + 1),
      on_stop_(stop, [this] { stop_.request_stop(); }) {}

void RangeFetch::begin_with(DownloadAnswer whole, std::uint64_t size) {
  whole_ = std::move(whole);
  size_ = size;
  record_.ranges.clear();
  const std::uint64_t count = std::max<std::uint64_t>(tools_.rules.ranges, 1);
  const std::uint64_t each = (size + count - 1) / count;
  for (std::uint64_t first = 0; first < size; first += each)
    record_.ranges.push_back({first, std::min(first + each, size) - 1, ""});
}

std::uint64_t RangeFetch::bytes_there(const FileRange& range) const {
  if (range.temporary.empty()) return 0;
  const auto info = tools_.folder.info(range.temporary);
  if (!info || info->type != FileType::Regular) return 0;
  return std::min(info->size, length_of(range));
}

Result<void> RangeFetch::write_record() {
  if (auto put = tools_.ledger.put(record_); !put) return put;
  return tools_.ledger.commit();
}

// What is there stays; everything else gets a temporary, on record before its first byte.
Result<void> RangeFetch::open_pieces() {
  if (const auto parent = parent_of(record_.name); !parent.empty()) {
    if (auto made = tools_.folder.make_directories(std::string(parent)); !made)
      return std::unexpected(on_disk(made.error()));
  }
  std::vector<FileRange> ranges;
  for (FileRange& range : record_.ranges) {
    const std::uint64_t there = bytes_there(range);
    if (there > 0) ranges.push_back({range.first, range.first + there - 1, range.temporary});
    if (there == length_of(range)) continue;
    auto file = AtomicFile::begin(tools_.folder, record_.name, tools_.rules.owner, Access::Shared,
                                  tools_.rules.durability);
    if (!file) return std::unexpected(on_disk(file.error()));
    ranges.push_back({range.first + there, range.last, (*file)->temporary_name()});
    pieces_.push_back({ranges.back(), std::move(*file)});
  }
  const auto before = std::exchange(record_.ranges, std::move(ranges));
  record_.state = FileState::Partial;
  record_.temporary.clear();
  if (auto written = write_record(); !written) return written;
  // Temporaries that hold nothing are no longer on record.
  for (const FileRange& range : before)
    if (!range.temporary.empty() &&
        std::ranges::find(record_.ranges, range.temporary, &FileRange::temporary) ==
            record_.ranges.end())
      static_cast<void>(tools_.folder.remove(range.temporary));
  return {};
}

RangeFetch::Piece* RangeFetch::take_piece() {
  const MutexLock lock(mutex_);
  if (error_ || taken_ == pieces_.size()) return nullptr;
  return &pieces_[taken_++];
}

bool RangeFetch::some_wait() {
  const MutexLock lock(mutex_);
  return !error_ && taken_ < pieces_.size();
}

// This thread takes one piece after another; helpers do the same while the host has room for them.
void RangeFetch::fill_pieces() {
  std::vector<std::jthread> helpers;
  while (Piece* piece = take_piece()) {
    while (some_wait() && helpers.size() + 1 < tools_.rules.ranges && more_.begin())
      helpers.push_back(start_thread("range", [this](std::stop_token) {
        while (Piece* next = take_piece()) fill_or_end(*next, std::nullopt);
        more_.end();
      }));
    fill_or_end(*piece, std::exchange(whole_, std::nullopt));
  }
  helpers.clear();
  for (Piece& piece : pieces_)
    if (piece.file->finish()) piece.file->keep();
}

void RangeFetch::fill_or_end(Piece& piece, std::optional<DownloadAnswer> answer) {
  auto filled = fill(piece, std::move(answer));
  if (filled) return;
  {
    const MutexLock lock(mutex_);
    if (!error_) error_ = std::move(filled.error());
  }
  stop_.request_stop();  // the others keep what they have, and their ends are of this one
}

std::unexpected<Error> RangeFetch::lose(Lost what, const std::string& host) {
  lost_ = what;
  return bad_answer(host, what == Lost::File ? "the file changed while it was fetched"
                                             : "there are no ranges after all");
}

Result<DownloadAnswer> RangeFetch::ask(const FileRange& range) {
  const Headers headers{
      {"Range", "bytes=" + std::to_string(range.first) + "-" + std::to_string(range.last)},
      {"If-Range", validator_of(record_.etag, record_.last_modified)}};
  auto answer = tools_.requests.get(item_.url, headers, stop_.get_token());
  if (!answer) return answer;
  const HttpHead& head = answer->head;
  const auto etag = head.header("etag");
  const bool other_tag = etag && !record_.etag.empty() && *etag != record_.etag;
  if (head.status == 416) return lose(Lost::File, answer->host);
  if (head.status == 200) {
    const bool same = !other_tag && head.length == size_;
    return lose(same ? Lost::Ranges : Lost::File, answer->host);
  }
  if (head.status != 206)
    return std::unexpected(error_of_answer(head, answer->host, tools_.clock.wall_now()));
  const auto given = parse_content_range(head.header("content-range").value_or(""));
  const bool other_size = given && given->total && *given->total != size_;
  if (other_size || other_tag) return lose(Lost::File, answer->host);
  if (!given || given->first != range.first || given->last != range.last)
    return bad_answer(answer->host, "another range than asked for");
  return answer;
}

Result<void> RangeFetch::fill(Piece& piece, std::optional<DownloadAnswer> answer) {
  if (!answer) {
    auto asked = ask(piece.range);
    if (!asked) return std::unexpected(asked.error());
    answer = std::move(*asked);
  }
  for (std::uint64_t left = length_of(piece.range); left > 0;) {
    const auto got = answer->exchange->next();
    if (!got) return std::unexpected(as_input(got.error()));
    if (got->empty()) return bad_answer(answer->host, "the answer is shorter than declared");
    // Of the whole file's answer only the first range is wanted.
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(got->size(), left));
    tools_.received.fetch_add(n, std::memory_order_relaxed);
    if (auto wrote = piece.file->write(got->first(n)); !wrote)
      return std::unexpected(on_disk(wrote.error()));
    left -= n;
  }
  return {};
}

Result<void> RangeFetch::copy(const FileRange& range, AtomicFile& to, Sha256& hash) {
  const auto from = tools_.folder.open(range.temporary);
  if (!from) return std::unexpected(on_disk(from.error()));
  std::vector<std::byte> bytes(kPiece);
  for (std::uint64_t at = 0; at < length_of(range);) {
    const auto got = (*from)->read_at(at, bytes);
    if (!got) return std::unexpected(on_disk(got.error()));
    if (*got == 0) return fail(ErrorKind::Transient, "bytes that were kept are gone");
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(*got, length_of(range) - at));
    if (auto wrote = to.write(std::span(bytes).first(n)); !wrote)
      return std::unexpected(on_disk(wrote.error()));
    hash.update(std::span(bytes).first(n));
    at += n;
  }
  return {};
}

// One range after another goes into the file and then from the disk, so that hardly more room is
// needed than for the file itself.
Result<void> RangeFetch::join_into(AtomicFile& file, Sha256& hash) {
  const std::vector<FileRange> ranges = record_.ranges;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (auto copied = copy(ranges[i], file, hash); !copied) return copied;
    record_.ranges.assign(ranges.begin() + static_cast<std::ptrdiff_t>(i), ranges.end());
    record_.ranges.front() = {0, ranges[i].last, file.temporary_name()};
    if (auto written = write_record(); !written) return written;
    static_cast<void>(tools_.folder.remove(ranges[i].temporary));
  }
  return {};
}

Result<RangeFetch::Joined> RangeFetch::join(std::string& bad_sha256) {
  auto file = AtomicFile::begin(tools_.folder, record_.name, tools_.rules.owner, Access::Shared,
                                tools_.rules.durability);
  if (!file) return std::unexpected(on_disk(file.error()));
  Sha256 hash;
  if (auto joined = join_into(**file, hash); !joined) {
    const bool on_record = record_.ranges.front().temporary == (*file)->temporary_name();
    if (on_record && (*file)->finish()) (*file)->keep();
    return std::unexpected(joined.error());
  }
  record_.sha256 = to_hex(hash.finish());
  if (!item_.sha256.empty() && item_.sha256 != record_.sha256) {
    bad_sha256 = record_.sha256;
    if (auto forgotten = forget(); !forgotten) return std::unexpected(forgotten.error());
    return fail(ErrorKind::Transient,
                "the file has the SHA-256 " + bad_sha256 + " and not the list's");
  }
  if (auto finished = (*file)->finish(); !finished)
    return std::unexpected(on_disk(finished.error()));
  Joined joined{std::move(*file), std::move(record_)};
  joined.record.ranges.clear();
  joined.record.temporary = joined.file->temporary_name();
  joined.record.size = size_;
  return joined;
}

// The record is that of a line that was never asked for; its bytes are gone.
Result<void> RangeFetch::forget() {
  const auto ranges = std::exchange(record_.ranges, {});
  record_.state = FileState::Named;
  record_.sha256.clear();
  record_.etag.clear();
  record_.last_modified.clear();
  if (auto written = write_record(); !written) return written;
  for (const FileRange& range : ranges) static_cast<void>(tools_.folder.remove(range.temporary));
  return {};
}

Result<RangeFetch::Joined> RangeFetch::fetch(std::string& bad_sha256) {
  if (auto opened = open_pieces(); !opened) return std::unexpected(opened.error());
  fill_pieces();
  pieces_.clear();
  std::optional<Error> error;
  {
    const MutexLock lock(mutex_);
    error = std::move(error_);
  }
  if (lost_ != Lost::Nothing) {
    if (auto forgotten = forget(); !forgotten) return std::unexpected(forgotten.error());
  }
  if (error) return std::unexpected(std::move(*error));
  return join(bad_sha256);
}

}  // namespace millrace
