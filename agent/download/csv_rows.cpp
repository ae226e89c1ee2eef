#include "agent/download/csv_rows.hpp"

#include <utility>

namespace millrace {

Result<void> CsvRows::add(std::string_view bytes, const Sink& sink) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  for (const char c : bytes) {
    const auto place = taken_++;
    if (place < kByteOrderMark.size() && c == kByteOrderMark[place]) continue;
    if (auto taken = take(c, sink); !taken) return taken;
  }
  return {};
}

Result<void> CsvRows::finish(const Sink& sink) {
  if (state_ == State::Quoted)
    return fail(
        ErrorKind::Configuration,
        std::to_string(row_.line) + ": a quoted field has no end; double a quote inside it");
  if (bytes_ == 0) return {};
  return end_row(sink);
}

Result<void> CsvRows::take(char c, const Sink& sink) {
  if (c == '\n') ++line_;
  if (state_ == State::Quoted) {
    if (c == '"')
      state_ = State::QuoteInQuoted;
    else
      keep(c);
    return {};
  }
  if (c == '\n') return end_row(sink);
  if (c == ',') {
    keep(0);
    end_field();
  } else if (c == '"' && state_ == State::Begin) {
    keep(0);
    state_ = State::Quoted;
  } else if (c == '"' && state_ == State::QuoteInQuoted) {
    keep(c);
    state_ = State::Quoted;
  } else if (c != '\r') {
    keep(c);
    state_ = State::Plain;
  }
  return {};
}

// NUL stands for what belongs to the row and to no field.
void CsvRows::keep(char c) {
  if (++bytes_ <= kLongestRow && c != 0) field_ += c;
}

void CsvRows::end_field() {
  if (bytes_ <= kLongestRow) row_.fields.push_back(std::move(field_));
  field_.clear();
  state_ = State::Begin;
}

Result<void> CsvRows::end_row(const Sink& sink) {
  end_field();
  CsvRow row = std::exchange(row_, {line_, {}});
  const bool too_long = std::exchange(bytes_, 0) > kLongestRow;
  if (!too_long) return sink(std::move(row));
  return sink(fail(ErrorKind::Input, std::to_string(row.line) + ": the row is longer than 64 KiB"));
}

}  // namespace millrace
