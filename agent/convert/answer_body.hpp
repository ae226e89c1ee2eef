// The body of a 200 that is read through a check: what comes out whole is believed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/convert/converter.hpp"
#include "agent/convert/format_marks.hpp"
#include "agent/job/byte_source.hpp"
#include "agent/transfer/http_client.hpp"
#include "platform/base/sha256.hpp"

namespace millrace {

// One worker thread; read() blocks on the network. Owns the exchange.
class AnswerBody final : public DigestedSource {
 public:
  // Reads the first bytes and checks framing, media type and begin mark before anything is handed
  // on. Transient if it is not believable (then the rest is read, up to 64 MiB, and `verdict` gets
  // the hash); the exchange's own errors otherwise.
  static Result<std::unique_ptr<AnswerBody>> open(std::unique_ptr<HttpExchange> exchange,
                                                  const HttpHead& head, const std::string& target,
                                                  std::shared_ptr<AnswerVerdict> verdict);

  // The end only after the declared length and the end mark were found right; else Transient, and
  // the verdict has the hash.
  Result<std::size_t> read(std::span<std::byte> into) override;
  std::string take_sha256() override { return to_hex(hash_.finish()); }

 private:
  AnswerBody(std::unique_ptr<HttpExchange> exchange, const HttpHead& head, const FormatMarks& marks,
             std::shared_ptr<AnswerVerdict> verdict);
  Result<void> read_first();
  std::string doubt_about_first(const HttpHead& head) const;
  std::unexpected<Error> unbelievable(std::string why);
  std::unexpected<Error> drain_and_doubt(std::string why);
  Result<std::size_t> pull(std::span<std::byte> into);
  std::size_t read_on(std::span<std::byte> into);
  Result<std::size_t> end();

  std::unique_ptr<HttpExchange> exchange_;
  const FormatMarks& marks_;
  const std::shared_ptr<AnswerVerdict> verdict_;
  const std::optional<std::uint64_t> length_;
  Sha256 hash_;
  std::string first_;
  std::string last_;
  std::size_t handed_on_ = 0;  // of first_
  std::uint64_t size_ = 0;     // read so far
  bool at_end_ = false;
  std::optional<Error> failed_;
};

}  // namespace millrace
