// Rows of comma-separated values (RFC 4180) as they arrive, in constant memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace {

// What a list may say of an item, in CSV and in JSON.
constexpr std::array<const char*, 4> kColumns{"url", "name", "sha256", "size"};

struct CsvRow {
  std::uint64_t line = 0;  // where it begins, from 1
  std::vector<std::string> fields;
};

// Single-threaded, pure.
class CsvRows {
 public:
  static constexpr std::size_t kLongestRow = 64 * 1024;  // bytes
  // Input: this row is too long. What the sink returns ends the reading if it is an error.
  using Sink = std::function<Result<void>(const Result<CsvRow>&)>;

  // The next bytes, cut anywhere.
  Result<void> add(std::string_view bytes, const Sink& sink);
  // Configuration if a quoted field has no end.
  Result<void> finish(const Sink& sink);

 private:
  enum class State { Begin, Plain, Quoted, QuoteInQuoted };

  Result<void> take(char c, const Sink& sink);
  void keep(char c);
  void end_field();
  Result<void> end_row(const Sink& sink);

  State state_ = State::Begin;
  CsvRow row_{1, {}};
  std::string field_;
  std::size_t bytes_ = 0;    // of this row
  std::uint64_t line_ = 1;   // of what comes next
  std::uint64_t taken_ = 0;  // bytes of all
};

}  // namespace millrace
