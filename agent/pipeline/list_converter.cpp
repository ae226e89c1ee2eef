#include "agent/pipeline/list_converter.hpp"

#include <algorithm>
#include <cstring>
#include <future>
#include <istream>
#include <random>
#include <stdexcept>
#include <streambuf>
#include <utility>
#include <vector>

#include "agent/convert/idempotency_key.hpp"
#include "agent/download/list_report.hpp"
#include "platform/base/text.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

constexpr int kUsualWorkers = 16;
constexpr int kMostConnections = 4;
constexpr std::chrono::milliseconds kTurnOfList{100};
constexpr std::size_t kPieceOfPayload = 64 * 1024;

// The bytes of a list: those that were read and hashed, or a long one's file once more.
class PayloadBuffer final : public std::streambuf {
 public:
  explicit PayloadBuffer(Payload& payload) : payload_(payload), piece_(kPieceOfPayload) {
    if (payload_.bytes()) return;
    if (auto begun = payload_.reader().rewind(); !begun) error_ = begun.error();
  }
  // Why it ended too early; to be asked when nobody reads any more.
  const std::optional<Error>& error() const { return error_; }

 protected:
  int_type underflow() override {
    auto got = error_ ? std::unexpected(*error_) : next_piece();
    if (!got) {
      error_ = got.error();
      // The stream is bad then, and not at its end: its last line may be half a line.
      throw std::runtime_error(error_->message);
    }
    if (*got == 0) return traits_type::eof();
    setg(piece_.data(), piece_.data(), piece_.data() + *got);
    return traits_type::to_int_type(piece_.front());
  }

 private:
  Result<std::size_t> next_piece() {
    if (const auto bytes = payload_.bytes()) {
      const std::size_t n = std::min(bytes->size() - at_, piece_.size());
      if (n > 0) std::memcpy(piece_.data(), bytes->data() + at_, n);
      at_ += n;
      return n;
    }
    SourceReader& reader = payload_.reader();
    auto got = reader.read(std::as_writable_bytes(std::span(piece_)));
    if (!got || *got > 0) return got;
    if (auto same = reader.check_unchanged(); !same) return std::unexpected(same.error());
    return 0;
  }

  Payload& payload_;
  std::vector<char> piece_;
  std::size_t at_ = 0;
  std::optional<Error> error_;
};

// Waits until the attempt is on record.
Result<void> begin_attempt_of(const ConvertRequest& request) {
  if (!request.before_sending) return {};
  const auto begun = std::make_shared<std::promise<std::optional<Error>>>();
  auto answer = begun->get_future();
  request.before_sending(
      [begun](std::optional<Error> error) { begun->set_value(std::move(error)); });
  if (auto error = answer.get()) return std::unexpected(std::move(*error));
  return {};
}

std::string place_text(const std::string& list, const DownloadTrouble& trouble) {
  std::string text = list + ":" + std::to_string(trouble.line) + ": ";
  if (!trouble.what.empty()) text += trouble.what + ": ";
  return text + trouble.reason;
}

// What the whole run comes to, if that is no report.
std::optional<Error> error_of_run(const std::string& list, const DownloadRun& run) {
  const DownloadTally tally = run.tally();
  if (auto error = run.list_error()) {
    // The list is wrong, not the converter.
    if (error->kind == ErrorKind::Configuration) error->kind = ErrorKind::Input;
    return error;
  }
  if (tally.fetched + tally.skipped > 0 || tally.failed + tally.waiting == 0) return std::nullopt;
  // With the first line of those that have a reason.
  const auto told = [&](std::vector<DownloadTrouble> troubles) {
    std::erase_if(troubles, [](const DownloadTrouble& trouble) { return trouble.reason.empty(); });
    const auto first = std::ranges::min_element(troubles, {}, &DownloadTrouble::line);
    return "none of " + std::to_string(tally.failed + tally.waiting) + " files could be fetched" +
           (first == troubles.end() ? "" : "; " + place_text(list, *first));
  };
  if (tally.waiting > 0) return Error{ErrorKind::Transient, told(run.waiting()), 0, {}};
  return Error{ErrorKind::Input, told(run.failures()), 0, {}};
}

class ListConverter final : public Converter {
 public:
  ListConverter(ListRecords& records, const ConverterSettings& settings, HeadersOf headers,
                const Clock& clock)
      : records_(records), settings_(settings), headers_(std::move(headers)), clock_(clock) {}

  const std::string& account() const override { return settings_.account; }
  std::string key_for(const std::string& content_sha256, const std::string& target,
                      const ConvertOptions& options) const override {
    return make_idempotency_key(account(), content_sha256, target, options);
  }
  ConvertReply convert(const ConvertRequest& request, Payload& payload,
                       std::stop_token stop) override {
    ConvertReply reply;
    reply.verdict = std::make_shared<AnswerVerdict>();
    reply.artifact = fetch_list(request, payload, stop);
    return reply;
  }

 private:
  Result<Artifact> fetch_list(const ConvertRequest& request, Payload& payload,
                              const std::stop_token& stop) {
    auto common = records_.of(request.outbox);
    if (!common) return std::unexpected(common.error());
    auto report = ListReport::begin(common->scratch);
    if (!report) return std::unexpected(report.error());
    if (auto begun = begin_attempt_of(request); !begun) return std::unexpected(begun.error());

    const std::string list = printable(leaf_of(request.source_name));
    PayloadBuffer bytes(payload);
    std::istream stream(&bytes);
    auto run = DownloadRun::start(ListReader(stream, list), options_for(request, *common, **report),
                                  clock_);
    if (!run) return std::unexpected(run.error());
    const bool in_time = wait(**run, request, stop);
    (*run)->stop();
    const DownloadTally tally = (*run)->tally();
    const auto error = error_of_run(list, **run);
    (*run)->each_waiting([&](const LineEnd& line) { (*report)->add(line); });
    run->reset();  // from here on nobody reads the list
    if (bytes.error()) return std::unexpected(*bytes.error());
    if (!in_time) return fail(ErrorKind::Stopped, "stopped; what was fetched is not fetched again");
    if (error) return std::unexpected(*error);
    return (*report)->finish(list, tally, tally.list_ended);
  }

  DownloadOptions options_for(const ConvertRequest& request, const OutboxRecords& common,
                              ListReport& report) const {
    DownloadOptions download;
    download.into = request.outbox;
    download.into_if_missing = IntoIfMissing::Fail;
    download.records = common.records;
    download.list_id = request.key;
    download.on_line = [&report](const LineEnd& line) { report.add(line); };
    download.window.workers = settings_.concurrency.value_or(kUsualWorkers);
    download.window.max_connections = std::min(kMostConnections, download.window.workers);
    download.window.rate_per_second = settings_.rate_per_second;
    download.window.random = [engine = std::mt19937_64(std::random_device{}())]() mutable {
      return std::uniform_real_distribution<double>(0, 1)(engine);
    };
    download.fetch.allow = settings_.allow_fetch;
    download.fetch.ca_file = settings_.ca_file;
    download.fetch.headers = headers_;
    download.fetch.timeouts.thinking = settings_.timeout;
    download.fetch.owner = common.owner;
    return download;
  }

  // False: we were asked to stop before it was done.
  bool wait(const DownloadRun& run, const ConvertRequest& request, const std::stop_token& stop) {
    DownloadTally before;
    TimePoint moved = clock_.now();
    while (!run.wait_done(kTurnOfList)) {
      if (request.stop_uploading.stop_requested() || stop.stop_requested()) return false;
      const DownloadTally tally = run.tally();
      const TimePoint now = clock_.now();
      if (tally.ended() != before.ended() || tally.bytes != before.bytes) {
        moved = now;
        records_.note_step();
      }
      before = tally;
      if (now - moved >= settings_.patience) break;
    }
    return true;
  }

  ListRecords& records_;
  const ConverterSettings settings_;
  const HeadersOf headers_;
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<Converter> make_list_converter(ListRecords& records,
                                               const ConverterSettings& settings, HeadersOf headers,
                                               const Clock& clock) {
  return std::make_unique<ListConverter>(records, settings, std::move(headers), clock);
}

}  // namespace millrace
