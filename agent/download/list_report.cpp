#include "agent/download/list_report.hpp"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "platform/base/sha256.hpp"

namespace millrace {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kPieceOfRows = 64 * 1024;
constexpr std::string_view kEndOfReport = "\n]}\n";

std::span<const std::byte> report_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Names and reasons come from lists and servers: what is no UTF-8 in them is replaced.
std::string report_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const char* state_text(LineEnd::How how) {
  switch (how) {
    case LineEnd::How::Fetched:
      return "fetched";
    case LineEnd::How::Skipped:
      return "skipped";
    case LineEnd::How::Waiting:
      return "waiting";
    case LineEnd::How::Failed:
      break;
  }
  return "failed";
}

std::string report_row(const LineEnd& line) {
  Json row{{"line", line.line}, {"state", state_text(line.how)}};
  if (!line.name.empty()) row["name"] = line.name;
  if (line.size) row["size"] = *line.size;
  if (!line.sha256.empty()) row["sha256"] = line.sha256;
  if (!line.reason.empty()) row["reason"] = line.reason;
  return report_text(row);
}

// Without its last brace: the rows follow.
std::string report_head(const std::string& list, const DownloadTally& tally, bool whole_list) {
  std::string head = report_text({{"list", list},
                                  {"whole_list", whole_list},
                                  {"fetched", tally.fetched},
                                  {"skipped", tally.skipped},
                                  {"failed", tally.failed},
                                  {"waiting", tally.waiting},
                                  {"bytes", tally.bytes}});
  head.pop_back();
  return head + ",\n\"files\":[";
}

// Head, rows, end, one after the other.
class ReportBody final : public DigestedSource {
 public:
  ReportBody(std::string head, std::shared_ptr<Directory> scratch, std::unique_ptr<AtomicFile> rows,
             std::unique_ptr<InputFile> file, std::uint64_t length)
      : head_(std::move(head)),
        scratch_(std::move(scratch)),
        rows_(std::move(rows)),
        file_(std::move(file)),
        length_(length) {}

  std::uint64_t size() const { return head_.size() + length_ + kEndOfReport.size(); }

  Result<std::size_t> read(std::span<std::byte> into) override {
    auto got = read_at(into);
    if (!got) return got;
    hash_.update(into.first(*got));
    at_ += *got;
    return got;
  }
  std::string take_sha256() override { return to_hex(hash_.finish()); }

 private:
  Result<std::size_t> read_at(std::span<std::byte> into) {
    if (at_ < head_.size()) return copy(std::string_view(head_).substr(at_), into);
    const std::uint64_t at = at_ - head_.size();
    if (at >= length_) return copy(kEndOfReport.substr(at - length_), into);
    const auto most = std::min<std::uint64_t>(into.size(), length_ - at);
    auto got = file_->read_at(at, into.first(static_cast<std::size_t>(most)));
    if (got && *got == 0) return fail(ErrorKind::Environment, "the rows of the report are gone");
    return got;
  }
  static std::size_t copy(std::string_view from, std::span<std::byte> into) {
    const std::size_t n = std::min(from.size(), into.size());
    if (n > 0) std::memcpy(into.data(), from.data(), n);
    return n;
  }

  const std::string head_;
  const std::shared_ptr<Directory> scratch_;
  const std::unique_ptr<AtomicFile> rows_;  // removes them in the end
  const std::unique_ptr<InputFile> file_;
  const std::uint64_t length_;  // of the rows, in bytes
  std::uint64_t at_ = 0;
  Sha256 hash_;
};

}  // namespace

Result<std::unique_ptr<ListReport>> ListReport::begin(std::shared_ptr<Directory> scratch) {
  auto rows = AtomicFile::begin(*scratch, "rows", kOwner, Access::OwnerOnly, Durability::None);
  if (!rows) return std::unexpected(rows.error());
  return std::unique_ptr<ListReport>(new ListReport(std::move(scratch), std::move(*rows)));
}

void ListReport::add(const LineEnd& line) {
  const std::string row = report_row(line);
  const MutexLock lock(mutex_);
  piece_ += std::exchange(empty_, false) ? "\n" : ",\n";
  piece_ += row;
  if (piece_.size() >= kPieceOfRows) write_out();
}

void ListReport::write_out() {
  if (auto wrote = rows_->write(report_bytes(piece_)); !wrote && !error_) error_ = wrote.error();
  written_ += piece_.size();
  piece_.clear();
}

Result<Artifact> ListReport::finish(const std::string& list, const DownloadTally& tally,
                                    bool whole_list) {
  const MutexLock lock(mutex_);
  write_out();
  if (error_) return std::unexpected(*error_);
  if (auto finished = rows_->finish(); !finished) return std::unexpected(finished.error());
  auto file = scratch_->open(rows_->temporary_name());
  if (!file) return std::unexpected(file.error());
  auto body = std::make_unique<ReportBody>(report_head(list, tally, whole_list), scratch_,
                                           std::move(rows_), std::move(*file), written_);
  Artifact artifact;
  artifact.content_type = "application/json";
  artifact.length = body->size();
  artifact.body = std::move(body);
  return artifact;
}

}  // namespace millrace
