// What a child wrote to its standard output, handed out line by line.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::process {

class LineBuffer {
 public:
  void append(std::string_view bytes) { bytes_.append(bytes); }
  std::size_t size() const { return bytes_.size(); }
  // The next whole line, without its end (LF or CR LF).
  std::optional<std::string> take_line() {
    const std::size_t end = bytes_.find('\n', searched_);
    if (end == std::string::npos) {
      searched_ = bytes_.size();
      return std::nullopt;
    }
    std::string line = bytes_.substr(0, end);
    bytes_.erase(0, end + 1);
    searched_ = 0;
    if (line.ends_with('\r')) line.pop_back();
    return line;
  }
  // What no line end follows; nothing if there is none.
  std::optional<std::string> take_rest() {
    searched_ = 0;
    if (bytes_.empty()) return std::nullopt;
    return std::exchange(bytes_, {});
  }

 private:
  std::string bytes_;
  std::size_t searched_ = 0;  // holds no line end up to here
};

}  // namespace millrace::process
