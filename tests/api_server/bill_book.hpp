// Who was billed for what: the truth that tests compare an agent's story with.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"
#include "tests/api_server/fake_output.hpp"
#include "tests/api_server/faults.hpp"

namespace millrace::test {

// One POST, as it is written into the book.
struct Post {
  std::uint64_t seq = 0;         // from 1, since the start
  std::uint64_t attempt = 0;     // POSTs under this key so far, this one included
  std::int64_t time_us = 0;      // since 1970, when the head was whole
  std::int64_t latency_us = 0;   // drawn for the conversion
  std::uint64_t connection = 0;  // from 1
  std::string key;
  std::string sha256;  // of the `file` part's bytes, or of the raw body; as far as it arrived
  std::string target;
  FormFields fields;  // without target and file_url
  std::string file_name;
  std::uint64_t declared = 0;  // Content-Length
  std::uint64_t received = 0;  // bytes of the body
  bool complete = false;       // the whole body arrived, and its frame was closed
  bool billed = false;
  bool replay = false;
  int status = 0;  // 0: not answered
  bool authorized = true;
  std::string note;  // why it was refused, or which fault it met
  Fault fault;

  std::string content() const;  // what makes two requests under one key equal
};

enum class KeyVerdict { New, InFlight, Replay, Mismatch };

class BillBook {
 public:
  // Environment if the file cannot be opened for appending; no file for an empty path.
  static Result<BillBook> open(const std::string& path, std::optional<Duration> key_window);

  void arrived(Post& post);  // gives it its number
  KeyVerdict completed(const Post& post, TimePoint now);
  void converting(const Post& post);          // its key is in flight from now on
  void converted(Post& post, TimePoint now);  // billed, or a conversion without a key
  void ended(const Post& post);               // writes its line
  void connection_accepted() { ++connections_; }
  std::uint64_t connections() const { return connections_; }
  std::uint64_t billed() const { return billed_; }

  void flush();  // everything up to now is in the file
  std::string summary_json() const;

 private:
  struct KeyRow {
    std::string content;
    std::uint64_t attempts = 0;
    std::uint64_t billed = 0;
    bool in_flight = false;
    std::optional<TimePoint> done;
  };
  struct FileCloser {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  BillBook() = default;

  std::unique_ptr<std::FILE, FileCloser> file_;
  std::optional<Duration> key_window_;
  std::unordered_map<std::string, KeyRow> keys_;
  std::unordered_map<int, std::uint64_t> statuses_;
  std::uint64_t posts_ = 0, complete_ = 0, billed_ = 0, billed_without_key_ = 0, replays_ = 0;
  std::uint64_t billed_twice_ = 0, mismatches_ = 0, unanswered_ = 0, connections_ = 0;
  std::uint64_t open_ = 0, most_open_ = 0, converting_ = 0, most_converting_ = 0;
  std::uint64_t body_bytes_ = 0;
};

std::string json_text(std::string_view text);  // with its quotes

}  // namespace millrace::test
