// A list of downloads, read as a stream: memory does not grow with its length.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <istream>
#include <memory>
#include <optional>
#include <string>

#include "agent/download/list_parser.hpp"

namespace millrace {

// One thread at a time; blocks on the file or the pipe.
struct ListFault {
  std::uint64_t line = 0;  // from 1
  std::string what;        // printable, without its place
};

class ListReader {
 public:
  // Configuration if it cannot be opened.
  static Result<ListReader> open(const std::filesystem::path& path);
  // From a stream that outlives the reader; `name` is how messages call it.
  ListReader(std::istream& from, std::string name);

  // The next item; nothing at the end. Input: this item is wrong, and the next may be asked for;
  // Configuration or Environment: the list ends here. Messages begin with `NAME:LINE: `.
  Result<std::optional<ListItem>> next();
  // The last error of next().
  const ListFault& fault() const { return fault_; }

 private:
  ListReader(std::unique_ptr<std::istream> owned, std::string name);
  Result<void> read_more();
  Error placed(const Error& error);

  std::unique_ptr<std::istream> owned_;
  std::istream* from_;
  std::string name_;
  std::unique_ptr<ListParser> parser_;
  std::deque<Result<ListItem>> ready_;  // of the last piece that was read
  bool ended_ = false;
  ListFault fault_;
};

}  // namespace millrace
